"""Owns joining the parts of inbound messages (MO), in whatever order they come (E77).

Must not answer, decode, or read a clock: ``now`` (seconds of any clock that does not go back) is an
argument. Parts belong together by source, destination, reference and total (TS 23.040 section
9.2.3.24.1, SMPP 3.4 sections 5.3.2.22 to 5.3.2.24).

What is held is bounded, and nothing that is held vanishes: it comes back whole, or as far as it
came.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from enum import Enum
from itertools import groupby
from typing import Final

from msgspec import Struct as Record

from smpp.decoding import Decoded, Guess
from smpp.encoding import TextSettings, read, unpacked
from smpp.message_pdu import DataSm, ShortMessage
from smpp.segmentation import Concatenation
from smpp.text import without_terminator
from smpp.tlv import Tlvs, tlv_value
from smpp.user_data import user_data
from smpp.vocabulary import (
    TLV_SAR_MSG_REF_NUM,
    TLV_SAR_SEGMENT_SEQNUM,
    TLV_SAR_TOTAL_SEGMENTS,
)

MESSAGES_OPEN_MAX: Final = 10_000
OCTETS_OPEN_MAX: Final = 16 * 1024 * 1024
TIMEOUT_SECONDS: Final = 300.0
PART_OVERHEAD_OCTETS: Final = 400  # what a held part costs beside its octets
PARTS_REMEMBERED_MAX: Final = 50_000  # of complete messages, by their hashes; about 6 MB
GAP_MARK: Final = "[…]"
_PLAIN: Final = TextSettings()

# Source, destination, reference and total.
Key = tuple[bytes, bytes, int, int]


class Outcome(Enum):
    """Why a message is handed over. All but COMPLETE and DUPLICATE have gaps."""

    COMPLETE = "complete"
    TIMED_OUT = "timed_out"
    EVICTED = "evicted"  # oldest, to make room
    SUPERSEDED = "superseded"  # its key came again with other content: the reference wrapped
    DUPLICATE = "duplicate"  # the carrier sent again what was complete before: only to be answered


class InboundPart(Record, gc=False):
    """One deliver_sm or data_sm: its text octets without header, and which part of what it is.

    ``context`` comes back with the message, for answering the carrier or finding a stored row.
    ``guessed``: it has a header that esm_class does not tell of.
    """

    source: bytes
    destination: bytes
    concatenation: Concatenation | None
    data_coding: int
    octets: bytes
    context: object = None
    guessed: bool = False


class Assembled(Record):
    """A message with its parts in order as (data_coding, octets), None where one is missing.

    ``contexts`` are those of all parts that came for it, repeated ones too, in order of arrival.
    """

    source: bytes
    destination: bytes
    outcome: Outcome
    parts: tuple[tuple[int, bytes] | None, ...]
    contexts: tuple[object, ...]

    @property
    def missing(self) -> tuple[int, ...]:
        """The numbers, from 1, of the parts that did not come."""
        return tuple(n for n, part in enumerate(self.parts, start=1) if part is None)

    def text(self, settings: TextSettings, *, gap: str = GAP_MARK) -> str:
        """As ``read``, the text alone."""
        return self.read(settings, gap=gap).text

    def read(self, settings: TextSettings, *, gap: str = GAP_MARK) -> Decoded:
        """The text, with ``gap`` for each run of missing parts, without the NUL that some end in.

        Neighbours in the same data_coding are decoded together: some phones cut a surrogate pair.
        """
        texts: list[str] = []
        guess: Guess | None = None
        for coding, run in groupby(self.parts, lambda part: None if part is None else part[0]):
            if coding is None:
                texts.append(gap)
                continue
            octets = b"".join([part[1] for part in run if part is not None])
            found = read(octets, coding, settings)
            texts.append(without_terminator(found.text, octets))
            if found.guess != "unreadable" or "\ufffd" in texts[-1]:  # and not half a terminator
                guess = guess or found.guess
        return Decoded("".join(texts), guess)


class _Open(Record):
    """A message of which parts are missing. ``held`` maps part number to (data_coding, octets)."""

    opened_at: float
    held: dict[int, tuple[int, bytes]]
    contexts: list[object]
    octets: int = 0


class ReassemblyCounters(Record):
    """Plain totals since start."""

    parts: int = 0
    completed: int = 0
    timed_out: int = 0
    evicted: int = 0
    superseded: int = 0
    duplicates: int = 0


def inbound_part(
    pdu: ShortMessage | DataSm, context: object = None, settings: TextSettings = _PLAIN
) -> InboundPart:
    """What a deliver_sm or data_sm carries, from short_message or message_payload. Never raises.

    Its part comes from its UDH or its SAR TLVs; the UDH wins where both speak of parts. Its septets
    are unpacked, which only the header before them tells how.
    """
    data = user_data(pdu)
    header_octets = len(data.whole) - len(data.octets)
    return InboundPart(
        pdu.source_addr,
        pdu.destination_addr,
        data.concatenation or sar_concatenation(pdu.tlvs),
        pdu.data_coding,
        unpacked(data.octets, pdu.data_coding, settings, header_octets),
        context,
        data.guessed,
    )


def sar_concatenation(tlvs: Tlvs) -> Concatenation | None:
    """What the three SAR TLVs say; None where one is absent, empty or makes no sense."""
    if not tlvs:
        return None
    reference = tlv_value(tlvs, TLV_SAR_MSG_REF_NUM)
    total = tlv_value(tlvs, TLV_SAR_TOTAL_SEGMENTS)
    sequence = tlv_value(tlvs, TLV_SAR_SEGMENT_SEQNUM)
    if not reference or not total or not sequence:
        return None
    found = Concatenation(
        int.from_bytes(reference, "big") & 0xFFFF,
        int.from_bytes(total, "big"),
        int.from_bytes(sequence, "big"),
    )
    return found if 1 <= found.sequence <= found.total <= 0xFF else None


class Reassembly:
    """The open messages of one connector. Call ``expire`` at ``deadline``.

    A complete message is remembered for ``timeout_seconds``, by a hash of each part. A carrier
    sends parts again when our answer was lost. They then make no second message.
    """

    def __init__(
        self,
        *,
        messages_max: int = MESSAGES_OPEN_MAX,
        octets_max: int = OCTETS_OPEN_MAX,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self.counters = ReassemblyCounters()
        self.octets = 0  # held, PART_OVERHEAD_OCTETS a part included
        self._messages_max = messages_max
        self._octets_max = octets_max
        self._timeout = timeout_seconds
        # Both in the order of their times, so the first is always the oldest.
        self._open: OrderedDict[Key, _Open] = OrderedDict()
        self._done: OrderedDict[Key, tuple[float, dict[int, int]]] = OrderedDict()
        self._parts_remembered = 0

    def __len__(self) -> int:
        """Messages of which parts are missing."""
        return len(self._open)

    def deadline(self) -> float | None:
        """When the oldest open message times out; None where none is open."""
        for message in self._open.values():
            return message.opened_at + self._timeout
        return None

    def feed(self, part: InboundPart, now: float) -> list[Assembled]:
        """Take one part. Returns what it completes and what had to go for it, in the order of
        going.
        """
        self.counters.parts += 1
        place = part.concatenation
        if place is None or place.total == 1:
            self.counters.completed += 1
            whole = ((part.data_coding, part.octets),)
            return [
                Assembled(part.source, part.destination, Outcome.COMPLETE, whole, (part.context,))
            ]
        gone: list[Assembled] = []
        key = (part.source, part.destination, place.reference, place.total)
        content = (part.data_coding, part.octets)
        message = self._open.get(key)
        if message is not None and message.held.get(place.sequence, content) != content:
            gone.append(self._close(key, Outcome.SUPERSEDED))
            message = None
        if message is None:
            message = self._open[key] = _Open(now, {}, [])
        self._hold(message, place.sequence, content, part.context)
        if len(message.held) == place.total:
            gone.append(self._complete(key, now))
        while self._open and (
            len(self._open) > self._messages_max or self.octets > self._octets_max
        ):
            gone.append(self._close(next(iter(self._open)), Outcome.EVICTED))
        return gone

    def withdraw(self, part: InboundPart, contexts: Collection[object]) -> bool:
        """Forget the open message that ``part`` belongs to, so that somebody else joins it.

        False, and nothing forgotten, unless exactly these contexts came for it.
        """
        place = part.concatenation
        assert place is not None
        key = (part.source, part.destination, place.reference, place.total)
        message = self._open.get(key)
        if message is None or set(message.contexts) != set(contexts):
            return False
        del self._open[key]
        self.octets -= message.octets
        return True

    def expire(self, now: float) -> list[Assembled]:
        """The messages whose first part came ``timeout_seconds`` ago or earlier, oldest first."""
        gone: list[Assembled] = []
        while (due := self.deadline()) is not None and due <= now:
            gone.append(self._close(next(iter(self._open)), Outcome.TIMED_OUT))
        while self._done and now - self._done[key := next(iter(self._done))][0] >= self._timeout:
            self._forget(key)
        return gone

    def drain(self) -> list[Assembled]:
        """Everything that is open, as if timed out: for a stop."""
        return [self._close(key, Outcome.TIMED_OUT) for key in list(self._open)]

    def _hold(
        self, message: _Open, sequence: int, content: tuple[int, bytes], context: object
    ) -> None:
        # A part that comes again costs its context, so a flood of repeats meets the bound, too.
        cost = PART_OVERHEAD_OCTETS
        if sequence not in message.held:
            message.held[sequence] = content
            cost += len(content[1])
        message.contexts.append(context)
        message.octets += cost
        self.octets += cost

    def _complete(self, key: Key, now: float) -> Assembled:
        hashes = {number: hash(content) for number, content in self._open[key].held.items()}
        assembled = self._close(key, Outcome.COMPLETE)
        if assembled.outcome is Outcome.COMPLETE:
            if key in self._done:
                self._forget(key)
            self._done[key] = (now, hashes)
            self._parts_remembered += len(hashes)
            while self._parts_remembered > PARTS_REMEMBERED_MAX:
                self._forget(next(iter(self._done)))
        return assembled

    def _close(self, key: Key, outcome: Outcome) -> Assembled:
        message = self._open.pop(key)
        self.octets -= message.octets
        known = self._done.get(key)
        if (
            known is not None
            and message.opened_at - known[0] < self._timeout
            and all(known[1].get(n) == hash(content) for n, content in message.held.items())
        ):
            # Nothing but what was there before: the carrier did not hear our answer.
            outcome = Outcome.DUPLICATE
        self._count(outcome)
        source, destination, _, total = key
        parts = tuple([message.held.get(number) for number in range(1, total + 1)])
        return Assembled(source, destination, outcome, parts, tuple(message.contexts))

    def _count(self, outcome: Outcome) -> None:
        counters = self.counters
        match outcome:
            case Outcome.COMPLETE:
                counters.completed += 1
            case Outcome.TIMED_OUT:
                counters.timed_out += 1
            case Outcome.EVICTED:
                counters.evicted += 1
            case Outcome.SUPERSEDED:
                counters.superseded += 1
            case Outcome.DUPLICATE:
                counters.duplicates += 1

    def _forget(self, key: Key) -> None:
        _, hashes = self._done.pop(key)
        self._parts_remembered -= len(hashes)
