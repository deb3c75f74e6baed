"""One connector's messages from handsets, from deliver_sm to rows.

Owns joining their parts (through smpp/reassembly.py) and the form of the handset's number. When
there is no room it answers ESME_RX_T_APPN and reads no more, so nothing is dropped. Must not write
to the database. Must not answer ESME_ROK: the recorder does, after the commit.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

import msgspec
import structlog

from dispatch.inbound.handsets import handset
from dispatch.inbound.parts import HeldPart
from dispatch.inbound.recorder import InboundRecorder
from dispatch.inbound.records import Arrival, PartRow, Received
from dispatch.raw.kept import KeepRaw, Kept, keeps
from dispatch.raw.unclear import Unclear
from recipients.numbers.plan import NumberPlan
from smpp.client import Bind
from smpp.decoding import Guess
from smpp.encoding import TextSettings
from smpp.events import Delivery, MessageRequest
from smpp.reassembly import Assembled, InboundPart, Outcome, Reassembly, inbound_part
from smpp.segmentation import Concatenation
from smpp.vocabulary import ESME_RX_T_APPN
from storage.crypto import NumberVault
from storage.ids import IdSource

_log = structlog.get_logger(__name__)
ANSWERED_MAX = 10_000  # of live sessions, known not to be repetitions
REPLACEMENT = "\ufffd"  # for NUL, which PostgreSQL does not store in a text


class MessageCounters(msgspec.Struct):
    """Counts since start, for /metrics."""

    parts: int = 0
    headers_guessed: int = 0  # of them with a header that esm_class does not tell of
    deferred: int = 0  # answered ESME_RX_T_APPN: no room
    read_as: dict[Guess, int] = {}  # messages whose alphabet data_coding alone does not say


class InboundShared(msgspec.Struct, frozen=True):
    """What the intakes of all connectors share."""

    recorder: InboundRecorder
    ids: IdSource
    vault: NumberVault
    numbers: NumberPlan
    monotonic: Callable[[], float]


class MessageIntake:
    """The incoming messages of one connector."""

    def __init__(
        self,
        connector: int,
        shared: InboundShared,
        *,
        country_code: str = "",
        text: TextSettings,
        name: str = "",
        before: MessageIntake | None = None,
    ) -> None:
        """`name`: the connector's, for the log. `before`: the intake that this one replaces.

        Messages in `before` that still miss parts go on waiting here.
        """
        self.connector = connector
        self.reassembly: Reassembly = Reassembly() if before is None else before.reassembly
        self.counters = MessageCounters()
        self._shared = shared
        self._recorder = shared.recorder
        self.country_code = country_code
        self.text = text
        self.keep_raw: KeepRaw = "unclear" if before is None else before.keep_raw
        self._name = name
        self._paused: set[Bind] = set()
        self._answered: OrderedDict[bytes, Bind] = OrderedDict()
        self._sessions: dict[Bind, int] = {}  # what delivered, and by which session
        # Parts taken over from a process that has ended, whose message is stored.
        self._settled: set[int] = set() if before is None else before._settled

    def take(
        self, bind: Bind, deliveries: Sequence[Delivery], unclear: Unclear | None = None
    ) -> None:
        """Take deliver_sm and data_sm of one read that are no receipts, or `unclear` ones."""
        room = max(0, self._recorder.room())
        if room < len(deliveries):
            late = deliveries[room:]
            deliveries = deliveries[:room]
            self.counters.deferred += len(late)
            bind.acknowledge(late, ESME_RX_T_APPN)
            self._paused.add(bind)
            bind.pause_reading()
        self.counters.parts += len(deliveries)
        if deliveries:
            self._sessions[bind] = deliveries[-1].session_token
            self._recorder.record(
                [self._arrival(bind, delivery, unclear) for delivery in deliveries]
            )

    def expired(self) -> list[Assembled]:
        """The messages that have waited too long for missing parts. Hand them to late()."""
        return self.reassembly.expire(self._shared.monotonic())

    def restored(self, held: Sequence[HeldPart], wall_ms: int) -> list[Assembled]:
        """Take over parts that a process which has ended held, oldest first. They go on waiting.

        Returns messages for late().
        """
        now = self._shared.monotonic()
        gone: list[Assembled] = []
        for part in held:
            if part.inbound_id is not None:
                self._settled.add(part.row.id)
            age = max(0.0, (wall_ms - part.received_ms) / 1000)
            gone += self.reassembly.feed(_restored(part, self._shared.vault), now - age)
        return gone

    def withdraw(self, held: Sequence[HeldPart]) -> bool:
        """Let go of a message that misses parts here, so another process can join it.

        False if these are not all the parts of it that came.
        """
        part = _restored(held[0], self._shared.vault)
        return self.reassembly.withdraw(part, {each.row.id for each in held})

    def late(self, gone: Sequence[Assembled]) -> None:
        """Store messages that no deliver_sm of now has completed, as far as they came."""
        arrivals = [arrival for arrival in map(self._late, gone) if arrival is not None]
        if arrivals:
            self._recorder.record(arrivals)

    def forget(self, bind: Bind) -> None:
        """The session is gone. The carrier sends again what was not answered."""
        self._paused.discard(bind)
        self._sessions.pop(bind, None)
        for fingerprint in [key for key, value in self._answered.items() if value is bind]:
            del self._answered[fingerprint]

    def answered(self, bind: Bind, delivery: Delivery, message: Received) -> None:
        """The answer was written. While that session lives, an equal delivery is another
        message.
        """
        if self._sessions.get(bind) != delivery.session_token:
            return
        self._answered.pop(message.fingerprint, None)
        self._answered[message.fingerprint] = bind
        if len(self._answered) > ANSWERED_MAX:
            self._answered.popitem(last=False)

    def resume(self) -> None:
        """Messages were committed. Reading that was paused goes on once half the room is free."""
        if self._paused and self._recorder.has_room_again():
            paused, self._paused = self._paused, set()
            for bind in paused:
                bind.resume_reading()

    def _arrival(self, bind: Bind, delivery: Delivery, unclear: Unclear | None) -> Arrival:
        shared = self._shared
        pdu = delivery.pdu
        part = inbound_part(pdu, settings=self.text)
        if part.guessed:
            self.counters.headers_guessed += 1
            unclear = unclear or Unclear.GUESSED
        if unclear is Unclear.UNREADABLE:
            part.concatenation = None  # a receipt in parts is none that could be joined
        source = handset(pdu.source_addr, pdu.source_addr_ton, self.country_code, shared.numbers)
        part.source = source.encode("latin-1", "replace")
        row: PartRow | None = None
        place = part.concatenation
        if place is not None and place.total > 1:
            row = PartRow(
                id=shared.ids.next(),
                connector=self.connector,
                from_enc=shared.vault.seal(source),
                destination=_destination(part.destination),
                reference=place.reference,
                total=place.total,
                sequence=place.sequence,
                data_coding=part.data_coding,
                octets=part.octets,
            )
            part.context = row.id
        messages: list[Received] = []
        repeated: list[int] = []
        for assembled in self.reassembly.feed(part, shared.monotonic()):
            if assembled.outcome is Outcome.DUPLICATE:
                repeated += _held(assembled)
            else:
                # An older message that had to make room is not marked: it was clear, or was marked
                # before.
                own = assembled.outcome is Outcome.COMPLETE
                messages.append(self._received(assembled, unclear if own else None, pdu))
        kept: Kept | None = None
        unclear = unclear or next((each.unclear for each in messages if each.unclear), None)
        if keeps(self.keep_raw, unclear, receipt=False):
            receipt = unclear is Unclear.UNREADABLE
            kept = Kept(shared.ids.next(), self.connector, receipt, unclear, pdu)
        return Arrival(bind, delivery, row, tuple(messages), tuple(repeated), kept)

    def _late(self, assembled: Assembled) -> Arrival | None:
        """A message that no deliver_sm of now has completed."""
        held = _held(assembled)
        stored = bool(held) and self._settled.issuperset(held)
        self._settled.difference_update(held)
        if stored:
            return None  # by the process that held it: only its memory was to be brought back
        if assembled.outcome is Outcome.DUPLICATE:
            return Arrival(repeated=held)
        return Arrival(messages=(self._received(assembled),))

    def _received(
        self,
        assembled: Assembled,
        unclear: Unclear | None = None,
        pdu: MessageRequest | None = None,
    ) -> Received:
        source = assembled.source.decode("latin-1")
        destination = _destination(assembled.destination)
        several = len(assembled.parts) > 1
        content = ";".join(
            "-" if part is None else f"{part[0]}:{part[1].hex()}" for part in assembled.parts
        )
        if pdu is not None and unclear is Unclear.UNREADABLE:
            # What tells two such apart may stand beside the text.
            content += f";{pdu.esm_class};{pdu.tlvs}"
        fingerprint = self._shared.vault.fingerprint_of(
            f"{self.connector} {source} {destination} {content}"
        )
        found = assembled.read(self.text)
        if found.guess is not None:
            self._guessed(found.guess)
            unclear = unclear or Unclear.GUESSED
        return Received(
            id=self._shared.ids.next(),
            connector=self.connector,
            source=source,
            destination=destination,
            text=found.text.replace("\0", REPLACEMENT),
            parts=len(assembled.parts),
            parts_missing=len(assembled.missing),
            fingerprint=fingerprint,
            held=_held(assembled),
            # Parts have a reference, and the reassembly knows those that come again.
            certainly_new=several or fingerprint in self._answered,
            unclear=unclear,
            read_as=found.guess,
            arrived=self._shared.monotonic(),
        )

    def _guessed(self, guess: Guess) -> None:
        """Count it; the first of its kind is logged."""
        counts = self.counters.read_as
        if guess not in counts:
            remedy = "if it is always so, say in data_codings of the connector what its numbers are"
            _log.warning("inbound_text_guessed", connector=self._name, read_as=guess, remedy=remedy)
        counts[guess] = counts.get(guess, 0) + 1


def _held(assembled: Assembled) -> tuple[int, ...]:
    return tuple([context for context in assembled.contexts if isinstance(context, int)])


def _destination(address: bytes) -> str:
    return address.decode("latin-1").replace("\0", REPLACEMENT)


def _restored(part: HeldPart, vault: NumberVault) -> InboundPart:
    row = part.row
    source = vault.open_or_none(row.from_enc)
    if source is None:  # its text is worth keeping, and stays apart from that of others
        source = f"unreadable-{row.from_enc[:4].hex()}"
    return InboundPart(
        source=source.encode("latin-1", "replace"),
        destination=row.destination.encode("latin-1", "replace"),
        concatenation=Concatenation(row.reference, row.total, row.sequence),
        data_coding=row.data_coding,
        octets=row.octets,
        context=row.id,
    )
