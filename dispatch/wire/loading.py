"""What one bind writes next: how many submit_sm, and of which messages.

Owns the rule that a message's parts stay on one bind, and the limits by window and by pace. Must
not write: connector_dispatch.py does. A message_payload is one submit_sm, but is paid for by its
parts.
"""

from __future__ import annotations

import msgspec
import structlog

from dispatch.answers.outcomes import Effects, Outcomes
from dispatch.answers.receipt_reading import ReceiptReader
from dispatch.clock import Clock
from dispatch.journey import Journey, OutboundPart
from dispatch.queue.pace import Pace
from dispatch.wire.encoder import refer
from dispatch.wire.planner import Planner
from smpp.client import Bind
from smpp.pdu import SubmitSm, encode
from storage.faults import without_values
from storage.ids import IdSource

_log = structlog.get_logger(__name__)
Load = list[tuple[SubmitSm, OutboundPart]]


class Line(msgspec.Struct, eq=False):
    """One bind, and the message it has begun to write. The rest of that follows on this bind
    (E80).
    """

    bind: Bind
    begun: Journey | None = None


class Loader:
    """The loader of one connector."""

    def __init__(
        self,
        planner: Planner,
        pace: Pace,
        reader: ReceiptReader,
        *,
        ids: IdSource,
        clock: Clock,
    ) -> None:
        self._planner = planner
        self._pace = pace
        self._reader = reader  # gives out the references to be put on parts
        self._ids = ids
        self._clock = clock

    def load(self, line: Line, room: int, now_ns: int, effects: Effects) -> Load:
        """As many submit_sm as have room, and as many parts as the pace allows. What was begun goes
        first.

        If it gives nothing and sets `line.begun`, one submit_sm has more parts than the pace has
        now.
        """
        now_ms = self._clock.wall_ms()
        allowed = self._pace.available(now_ns)
        planned: list[tuple[Journey, int, SubmitSm]] = []
        while len(planned) < room and allowed > 0:
            journey = line.begun or self._planner.next(now_ms, effects)
            if journey is None:
                break
            line.begun = journey
            unsent, segments = journey.unsent, journey.segments
            assert unsent is not None
            if segments > allowed and (planned or not self._pace.affords(segments, now_ns)):
                break
            while unsent and len(planned) < room and allowed > 0:
                number, submit_sm = unsent.pop()
                planned.append((journey, number, submit_sm))
                allowed -= segments
            line.begun = journey if unsent else None
        return self._numbered(planned, now_ms)

    def _numbered(self, planned: list[tuple[Journey, int, SubmitSm]], now_ms: int) -> Load:
        ids = self._ids.take(len(planned))
        references = self._reader.references
        if references is not None:
            for submission_id, (journey, _, submit_sm) in zip(ids, planned, strict=True):
                refer(submit_sm, references.give(submission_id, journey.message.to))
        generation = self._pace.generation
        return [
            (submit_sm, OutboundPart(journey, number, submission_id, now_ms, generation))
            for submission_id, (journey, number, submit_sm) in zip(ids, planned, strict=True)
        ]


def packable(load: Load, outcomes: Outcomes, now_ms: int, effects: Effects) -> Load:
    """Those that can be packed. The part of any other has failed."""
    kept: Load = []
    for submit_sm, part in load:
        try:
            encode(submit_sm)
        except ValueError as error:
            message_id = part.journey.message.id
            _log.error("message_unsendable", message_id=message_id, error=without_values(error))
            outcomes.unsendable(part, now_ms, effects)
        else:
            kept.append((submit_sm, part))
    return kept
