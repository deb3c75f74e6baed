"""From a deliver_sm or data_sm to the receipt that is stored, as one carrier writes them.

Owns what counts as a receipt of this connector, how its ids are read, and the memory of recent
carrier ids. Pure; bounded. Must not answer the carrier and must not store.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

import msgspec

from dlr.codes import WORDS_ONLY, Codes
from dlr.id_learning import NUMBER_DIGITS_COMPARED, IdLearner
from dlr.id_rewrite import IdRewrite
from dlr.receipt import IdBase, Receipt, is_receipt_text, normalise_id, parse_receipt
from dlr.receipt_rows import ReceiptRow
from dlr.status import Status
from gateway.dispatch.message_references import MessageReferences
from smpp.addresses import address_text
from smpp.events import MessageRequest
from smpp.message_pdu import message_octets
from smpp.vocabulary import (
    TLV_MESSAGE_STATE,
    TLV_NETWORK_ERROR_CODE,
    TLV_RECEIPTED_MESSAGE_ID,
    TLV_USER_MESSAGE_REFERENCE,
)

KNOWN_IDS_MAX = (
    100_000  # carrier ids without a final receipt kept in memory; older ones are found by index
)
UNSURE_MAX = 1_000  # receipts that are read once more when the form of ids has been found out
INTEGER_OCTETS_MAX = 4  # SMPP 3.4 section 3.1
_RECEIPT_TYPES = frozenset({0x04, 0x08, 0x20})  # esm_class bits 5-2 (SMPP 3.4 section 5.2.12)
_MESSAGE_TYPE_BITS = 0x3C


class KnownId(msgspec.Struct, frozen=True, gc=False):
    """The carrier's id of a submit_sm that was answered, as it is stored, and where it went."""

    carrier_id: str
    submission_id: int
    to: str


class ReceiptManners(msgspec.Struct, frozen=True, kw_only=True):
    """How one carrier writes receipts. `receipt_base` None: to be found out (E1)."""

    response_base: IdBase = "opaque"
    receipt_base: IdBase | None = "opaque"
    rewrite: IdRewrite | None = None  # of ids in answers and in receipts (E6)
    text_id_first: bool = False  # which of two ids is tried first (E7)
    without_esm_class: bool = False  # receipts come with esm_class 0 (E19)
    codes: Codes = WORDS_ONLY


class ReceiptReader:
    """One connector's."""

    def __init__(
        self,
        connector: int,
        manners: ReceiptManners,
        *,
        learner: IdLearner | None = None,
        references: MessageReferences | None = None,
        index: Callable[[str], bytes] | None = None,
    ) -> None:
        """`learner`: shared where several connectors are one carrier. `references`: what receipts
        may refer to besides ids. `index`: what a number is found by.
        """
        self._index = index
        self.references = references
        self._connector = connector
        self.manners = manners
        self._known: OrderedDict[str, KnownId] = OrderedDict()
        self._unsure: list[tuple[ReceiptRow, MessageRequest]] = []
        self.learner = (learner or IdLearner()) if manners.receipt_base is None else None

    def follow(self, manners: ReceiptManners, learner: IdLearner) -> None:
        """The carrier writes so from now on. Ids that are stored stay as they were written."""
        self.manners = manners
        self.learner = learner if manners.receipt_base is None else None

    def answer_id(self, raw: bytes) -> str:
        """The message_id of a submit_sm_resp as it is stored."""
        return self._written(normalise_id(raw, "opaque"), self.manners.response_base)

    def remember(self, known: Sequence[KnownId]) -> None:
        """Carrier ids just learned, so that their first receipts need no index look-up."""
        for each in known:
            self._known[each.carrier_id] = each
        if self.learner is not None and self._learning:
            for each in known:
                self.learner.answered(each.carrier_id, each.to)
        for _ in range(len(self._known) - KNOWN_IDS_MAX):
            self._known.popitem(last=False)

    def is_receipt(self, pdu: MessageRequest) -> bool:
        """By esm_class alone, unless this carrier is known to leave it out."""
        kind = pdu.esm_class & _MESSAGE_TYPE_BITS
        if kind in _RECEIPT_TYPES:
            return True
        return kind == 0 and self.manners.without_esm_class and is_receipt_text(message_octets(pdu))

    def row(self, pdu: MessageRequest, received_at: datetime) -> ReceiptRow | None:
        """What is stored of a receipt; None for one that names no message."""
        tlvs = dict(reversed(pdu.tlvs))  # of a tag that comes twice the first counts
        receipt = parse_receipt(
            message_octets(pdu),
            receipted_message_id=tlvs.get(TLV_RECEIPTED_MESSAGE_ID),
            message_state=tlv_integer(tlvs.get(TLV_MESSAGE_STATE)),
            network_error_code=tlvs.get(TLV_NETWORK_ERROR_CODE),
        )
        if receipt is None:
            return None
        number, reference_id = "", None
        if self.references is not None or self._learning:
            number = address_text(pdu.source_addr_ton, pdu.source_addr)
            reference_id = self._referred_to(tlvs.get(TLV_USER_MESSAGE_REFERENCE), number)
        carrier_id, alternate_id = self._ids(receipt, number)
        row = ReceiptRow(
            self._connector,
            carrier_id,
            self._guess(carrier_id, receipt.status, reference_id, pdu),
            receipt.status,
            self.manners.codes.reason(receipt.status, receipt.error),
            receipt.error,
            receipt.done_at,
            received_at,
            alternate_id,
            reference_id,
            partial(self._parties, pdu),
        )
        if self._learning and row.submission_id is None and len(self._unsure) < UNSURE_MAX:
            self._unsure.append((row, pdu))
        return row

    def understood(self) -> list[ReceiptRow]:
        """Receipts that were read before it was known how this carrier writes ids, read again."""
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
        """The newest submit with this id, for its first verdict; None where another may be meant,
        which the database knows.
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

    def _parties(self, pdu: MessageRequest) -> tuple[bytes | None, str]:
        """A receipt comes from the number that the message went to."""
        number = address_text(pdu.source_addr_ton, pdu.source_addr)
        if number.isdigit():
            number = f"+{number}"  # a carrier that leaves TON out
        to_idx = None
        if self._index is not None and number.startswith("+"):
            to_idx = self._index(number)
        return to_idx, address_text(pdu.dest_addr_ton, pdu.destination_addr)

    @property
    def _learning(self) -> bool:
        return self.learner is not None and self.learner.translation is None

    def _ids(self, receipt: Receipt, number: str) -> tuple[str, str | None]:
        """The id to look for first, and the other one where there are two (E7)."""
        carrier_id = self._receipt_id(receipt.carrier_id, number)
        if receipt.text_id is None:
            return carrier_id, None
        text_id = self._receipt_id(receipt.text_id, number)
        return (text_id, carrier_id) if self.manners.text_id_first else (carrier_id, text_id)

    def _referred_to(self, reference: bytes | None, number: str) -> int | None:
        if self.references is None or reference is None:
            return None
        return self.references.find(reference, number)

    def _receipt_id(self, raw: str, number: str) -> str:
        learner = self.learner
        if learner is None:
            return self._written(raw, self.manners.receipt_base or "opaque")
        written = self._written(raw, "opaque")
        translation = learner.translation or learner.receipt(written, number)
        return written if translation is None else translation(written)

    def _written(self, raw: str, base: IdBase) -> str:
        """`raw` has no space around it, so that an opaque one stays as it is."""
        rewrite = self.manners.rewrite
        if rewrite is not None:
            raw = rewrite(raw)
        elif base == "opaque":
            return raw
        return normalise_id(raw, base)


def _may_be_about(to: str, pdu: MessageRequest) -> bool:
    """By the end of the number that the receipt comes from, or goes to at a carrier that mixes them
    up. An address that is no number, or a part of one, says nothing.
    """
    end = to[-NUMBER_DIGITS_COMPARED:].encode()
    source = pdu.source_addr[-NUMBER_DIGITS_COMPARED:]
    if source == end or len(source) < NUMBER_DIGITS_COMPARED or not source.isdigit():
        return True
    return pdu.destination_addr[-NUMBER_DIGITS_COMPARED:] == end


def tlv_integer(value: bytes | None) -> int | None:
    """A TLV's value as unsigned integer; None when absent, empty or longer than any integer TLV."""
    return int.from_bytes(value, "big") if value and len(value) <= INTEGER_OCTETS_MAX else None
