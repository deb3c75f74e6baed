"""From a deliver_sm or data_sm to the receipt that is stored, as one carrier writes them.

Owns what counts as a receipt of this connector, how its ids are read, and the memory of recent
carrier ids. Must not answer the carrier and must not store. Pure; bounded.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from functools import partial
from types import MappingProxyType

import msgspec

from dispatch.answers.delivery_kind import (
    NO_TLVS,
    RECEIPT_BITS,
    DeliveryKind,
    TlvEvidence,
    kind_of,
)
from dispatch.answers.message_references import MessageReferences
from dispatch.answers.receipt_repeats import RepeatedReceipts
from dispatch.answers.records import KnownId
from dispatch.answers.unknown_words import UnknownWords
from dispatch.inbound.handsets import forms
from dlr.codes import WORDS_ONLY, Codes
from dlr.id_learning import NUMBER_DIGITS_COMPARED, IdLearner
from dlr.id_rewrite import IdRewrite
from dlr.reasons import Reason
from dlr.receipt import (
    NO_STATES,
    IdBase,
    Likeness,
    Receipt,
    likeness,
    normalise_id,
    parse_receipt,
)
from dlr.receipt_rows import Parties, ReceiptRow
from dlr.status import Status
from smpp.addresses import address_text
from smpp.encoding import TextSettings
from smpp.events import MessageRequest
from smpp.message_pdu import message_octets
from smpp.tlv import Tlvs
from smpp.user_data import plain_text, readings, user_data, usual_octets
from smpp.vocabulary import (
    TLV_MESSAGE_STATE,
    TLV_NETWORK_ERROR_CODE,
    TLV_RECEIPTED_MESSAGE_ID,
    TLV_USER_MESSAGE_REFERENCE,
)

KNOWN_IDS_MAX = (
    100_000  # carrier ids without a final receipt kept in memory; older ones are found by index
)
UNSURE_MAX = 1_000  # receipts read once more when the form of ids has been found out
INTEGER_OCTETS_MAX = 4  # SMPP 3.4 section 3.1
NO_OCTETS: Mapping[int, bytes] = MappingProxyType({})


class ReceiptManners(msgspec.Struct, frozen=True, kw_only=True):
    """How one carrier writes receipts. `receipt_base` None: found out from its receipts (E1)."""

    response_base: IdBase = "opaque"
    receipt_base: IdBase | None = "opaque"
    rewrite: IdRewrite | None = None  # of ids in answers and in receipts (E6)
    text_id_first: bool = False  # which of two ids is tried first (E7)
    without_esm_class: bool = False  # receipts come with esm_class 0 (E19)
    codes: Codes = WORDS_ONLY
    states: Mapping[str, Status] = NO_STATES  # its own words for states, in capitals (E96)
    text: TextSettings = TextSettings()  # what its data_coding means
    country_code: str = ""  # of numbers that come without one
    zone: tzinfo = UTC  # of dates that do not tell theirs (E98)

    def of_ids(self) -> tuple[object, ...]:
        """The settings that decide how ids are read."""
        return self.response_base, self.receipt_base, self.rewrite


class ReceiptReader:
    """Reads the receipts of one connector."""

    def __init__(
        self,
        connector: int,
        manners: ReceiptManners,
        *,
        learner: IdLearner | None = None,
        references: MessageReferences | None = None,
        indexes: Callable[[str], Sequence[bytes]] | None = None,
    ) -> None:
        """`learner` is shared where several connectors are one carrier.

        `references`: what receipts may refer to besides ids. `indexes`: the keyed indexes of a
        number, the present one first.
        """
        self._indexes = indexes
        self.references = references
        self._connector = connector
        self.manners = manners
        self.unknown_words = UnknownWords()
        self.undated = 0  # receipts without a readable date, since start: their arrival counts
        self._repeated = RepeatedReceipts(self._parsed)
        self._known: OrderedDict[str, KnownId] = OrderedDict()
        self._unsure: list[tuple[ReceiptRow, MessageRequest]] = []
        self.learner = (learner or IdLearner()) if manners.receipt_base is None else None

    def follow(self, manners: ReceiptManners, learner: IdLearner) -> None:
        """The carrier writes like this from now on. Stored ids stay as they were written."""
        self.manners = manners
        self._repeated.forget()
        self.learner = learner if manners.receipt_base is None else None

    def answer_id(self, raw: bytes) -> str:
        """The message_id of a submit_sm_resp, in the form that is stored."""
        return self._written(normalise_id(raw, "opaque"), self.manners.response_base)

    def remember(self, known: Sequence[KnownId]) -> None:
        """Remember carrier ids just learned, so their first receipts need no index look-up."""
        for each in known:
            self._known[each.carrier_id] = each
        if self.learner is not None and self._learning:
            for each in known:
                self.learner.answered(each.carrier_id, each.to)
        for _ in range(len(self._known) - KNOWN_IDS_MAX):
            self._known.popitem(last=False)

    def is_receipt(self, pdu: MessageRequest) -> bool:
        """Whether a delivery is a receipt, by the rules of delivery_kind.py."""
        if pdu.esm_class & RECEIPT_BITS:
            return True  # the short way to what kind_of would say, for most deliveries
        kind = kind_of(
            pdu.esm_class,
            _evidence(pdu) if pdu.tlvs else NO_TLVS,
            partial(self._likeness, pdu),
            without_esm_class=self.manners.without_esm_class,
        )
        return kind is DeliveryKind.RECEIPT

    def reads_as_receipt(self, pdu: MessageRequest) -> bool:
        """Whether a text that is_receipt() took for a message's reads as a receipt."""
        return b":" in message_octets(pdu) and self._likeness(pdu) is Likeness.CERTAIN

    def row(self, pdu: MessageRequest, received_at: datetime) -> ReceiptRow | None:
        """The receipt to be stored; None for one that names no message."""
        tlvs = _first_values(pdu.tlvs) if pdu.tlvs else NO_OCTETS
        receipt = self._repeated.read(pdu, tlvs) or self._read(pdu, tlvs)
        if receipt is None:
            return None
        number, reference_id = "", None
        if self.references is not None or self._learning:
            number = address_text(pdu.source_addr_ton, pdu.source_addr)
            reference_id = self._referred_to(tlvs.get(TLV_USER_MESSAGE_REFERENCE), number, pdu)
        if not receipt.carrier_id and reference_id is None:
            return None
        carrier_id, alternate_id = self._ids(receipt, number)
        row = ReceiptRow(
            self._connector,
            carrier_id,
            self._guess(carrier_id, receipt.status, reference_id, pdu),
            receipt.status,
            Reason.UNKNOWN
            if receipt.inferred
            else self.manners.codes.reason(receipt.status, receipt.error),
            receipt.error,
            receipt.done_at,
            received_at,
            alternate_id,
            reference_id,
            partial(self._parties, pdu) if carrier_id else None,
            unknown_state=receipt.unknown_state,
            guessed=receipt.guessed,
        )
        if receipt.undated:
            self.undated += 1
        unsure = self._learning and row.submission_id is None and bool(carrier_id)
        if unsure and len(self._unsure) < UNSURE_MAX:
            self._unsure.append((row, pdu))
        return row

    def understood(self) -> list[ReceiptRow]:
        """Read again the receipts that came before this carrier's form of ids was known."""
        if not self._unsure or self._learning:
            return []
        unsure, self._unsure = self._unsure, []
        translation = self.learner.translation if self.learner else None
        if translation is None:
            return []
        return [
            msgspec.structs.replace(
                row,
                carrier_id=carrier_id,
                submission_id=self._guess(carrier_id, Status(row.status), row.reference_id, pdu),
                certain=False,
                parked_id=None,
            )
            for row, pdu in unsure
            if (carrier_id := translation(row.carrier_id)) != row.carrier_id
        ]

    def _guess(
        self, carrier_id: str, status: Status, reference_id: int | None, pdu: MessageRequest
    ) -> int | None:
        """The newest submit with this id, for its first verdict.

        None where another may be meant; the database knows that.
        """
        known = self._known.get(carrier_id)
        if known is None:
            return None
        usual = known.to.endswith(pdu.source_addr.decode("latin-1"))
        if not (usual or _may_be_about(known.to, pdu)):
            return None
        if reference_id is not None and reference_id != known.submission_id:
            return None
        if status is not Status.SENT:
            del self._known[carrier_id]
        return known.submission_id

    def _read(self, pdu: MessageRequest, tlvs: Mapping[int, bytes]) -> Receipt | None:
        """The first reading of the text that gives an id and a state; else the one that says
        most.
        """
        usual = usual_octets(pdu)
        if usual is not None:
            receipt = self._parsed(plain_text(usual), tlvs)
            if receipt is not None and receipt.carrier_id and receipt.state:
                return receipt
        best: Receipt | None = None
        data = user_data(pdu)
        for text in readings(data, pdu.data_coding, self.manners.text):
            receipt = self._parsed(text, tlvs)
            if receipt is not None and (best is None or _says(receipt) > _says(best)):
                best = receipt
                if receipt.carrier_id and receipt.state:
                    break
        if best is not None and data.guessed:
            best.guessed = True
        return best

    def _parsed(self, text: str, tlvs: Mapping[int, bytes]) -> Receipt | None:
        return parse_receipt(
            text,
            receipted_message_id=tlvs.get(TLV_RECEIPTED_MESSAGE_ID),
            message_state=tlv_integer(tlvs.get(TLV_MESSAGE_STATE)),
            network_error_code=tlvs.get(TLV_NETWORK_ERROR_CODE),
            states=self.manners.states,
            zone=self.manners.zone,
        )

    def _likeness(self, pdu: MessageRequest) -> Likeness:
        ways = readings(user_data(pdu), pdu.data_coding, self.manners.text)
        return max(likeness(text, self.manners.states) for text in ways)

    def _parties(self, pdu: MessageRequest) -> Parties:
        """The indexes of the handset that a receipt comes from, and the sender that it goes to."""
        sender = address_text(pdu.dest_addr_ton, pdu.destination_addr)
        numbers = forms(pdu.source_addr, pdu.source_addr_ton, self.manners.country_code)
        if self._indexes is None or not numbers:
            return Parties(None, sender)
        found = [index for number in numbers for index in self._indexes(number)]
        to_idx, *others = dict.fromkeys(found)
        return Parties(to_idx, sender, others)

    @property
    def _learning(self) -> bool:
        return self.learner is not None and self.learner.translation is None

    def _ids(self, receipt: Receipt, number: str) -> tuple[str, str | None]:
        """The id to look for first, and the other one where there are two (E7)."""
        if not receipt.carrier_id:
            return "", None
        carrier_id = self._receipt_id(receipt.carrier_id, number)
        if receipt.text_id is None:
            return carrier_id, None
        text_id = self._receipt_id(receipt.text_id, number)
        return (text_id, carrier_id) if self.manners.text_id_first else (carrier_id, text_id)

    def _referred_to(self, reference: bytes | None, number: str, pdu: MessageRequest) -> int | None:
        if self.references is None or reference is None:
            return None
        found = self.references.find(reference, number)
        if found is None:  # some carriers put the recipient where it was in the submit
            to = address_text(pdu.dest_addr_ton, pdu.destination_addr)
            found = self.references.find(reference, to)
        return found

    def _receipt_id(self, raw: str, number: str) -> str:
        learner = self.learner
        if learner is None:
            return self._written(raw, self.manners.receipt_base or "opaque")
        written = self._written(raw, "opaque")
        translation = learner.translation or learner.receipt(written, number)
        return written if translation is None else translation(written)

    def _written(self, raw: str, base: IdBase) -> str:
        """An id in the stored form. `raw` has no space around it, so an opaque one stays as
        it is.
        """
        rewrite = self.manners.rewrite
        if rewrite is not None:
            raw = rewrite(raw)
        elif base == "opaque":
            return raw
        return normalise_id(raw, base)


def _may_be_about(to: str, pdu: MessageRequest) -> bool:
    """Whether a receipt may be about this recipient, by the last digits of its address.

    Some carriers swap source and destination. An address that is no number, or part of one,
    excludes nothing.
    """
    end = to[-NUMBER_DIGITS_COMPARED:].encode()
    source = pdu.source_addr[-NUMBER_DIGITS_COMPARED:]
    if source == end or len(source) < NUMBER_DIGITS_COMPARED or not source.isdigit():
        return True
    return pdu.destination_addr[-NUMBER_DIGITS_COMPARED:] == end


def _first_values(tlvs: Tlvs) -> Mapping[int, bytes]:
    """TLV values by tag. Of a tag that comes twice the first counts, unless it is empty."""
    values = dict(tlvs)
    if len(values) == len(tlvs) and all(values.values()):
        return values  # nearly always
    return {tag: value for tag, value in reversed(tlvs) if value}


def _says(receipt: Receipt) -> tuple[bool, bool]:
    return receipt.carrier_id != "", receipt.state != ""


def _evidence(pdu: MessageRequest) -> TlvEvidence:
    tags = {tag for tag, value in pdu.tlvs if value.strip(b"\0")}
    return TlvEvidence(
        names_message=TLV_RECEIPTED_MESSAGE_ID in tags,
        repeats_reference=any(tag == TLV_USER_MESSAGE_REFERENCE for tag, _ in pdu.tlvs),
        gives_state=any(tag == TLV_MESSAGE_STATE and value for tag, value in pdu.tlvs),
    )


def tlv_integer(value: bytes | None) -> int | None:
    """A TLV's value as unsigned integer. None when absent, empty or longer than any integer TLV."""
    return int.from_bytes(value, "big") if value and len(value) <= INTEGER_OCTETS_MAX else None
