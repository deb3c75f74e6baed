"""What an answer, a silence or a refusal means for the message it belongs to.

Owns the decision after the wire. It takes a part and its command_status, or the lack of one. It
gives the records to store and the messages that go back into the ready queue. Must not do I/O nor
read a clock: `now_ms` is passed in.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from dispatch.answers.another_way import way_ended
from dispatch.answers.doubt import Doubt, OutcomePolicy
from dispatch.answers.error_policy import Kind, decide
from dispatch.answers.records import KnownId, LateResult, MessageDone, PartResult, Record
from dispatch.answers.unfit_settings import UnfitSettings
from dispatch.holds import FREED_BY_HAND, Hold
from dispatch.journey import Intent, Journey, OutboundPart
from dispatch.message import Later, Move, ReadyMessage
from dlr.in_doubt import GIVEN_UP
from dlr.ledger import SubmissionRow
from dlr.reasons import Reason
from dlr.status import Status, stopped
from storage.events import Event, EventKind
from storage.ids import IdSource

OK = 0
STATUSES_COUNTED_MAX = 64
OTHER_STATUS = -1  # what all further statuses are counted under


class Detour(msgspec.Struct, frozen=True):
    """Another connector that may do better, and why it was chosen."""

    connector: int
    reason: str
    connectors: int  # of the route that are up


Elsewhere = Callable[[int, ReadyMessage], Detour | None]


def stays(_connector: int, _message: ReadyMessage) -> Detour | None:
    """No other connector is known."""
    return None


class Effects(msgspec.Struct):
    """What follows from a batch of answers."""

    records: list[Record] = msgspec.field(default_factory=list)
    requeue: list[ReadyMessage] = msgspec.field(default_factory=list)
    known: list[KnownId] = msgspec.field(default_factory=list)
    reconnect: str | None = None  # the answer that says that the session is of no use
    suspend_seconds: float = 0.0
    throttled_generation: int = -1  # -1: nothing was throttled


class Outcomes:
    """The decisions for one connector."""

    def __init__(
        self,
        connector: int,
        *,
        policy: OutcomePolicy,
        ids: IdSource,
        normalise: Callable[[bytes], str],
        status_name: Callable[[int], str],
        elsewhere: Elsewhere = stays,
        unfit: UnfitSettings | None = None,
        ahead_ms: Callable[[], int] = lambda: 0,
    ) -> None:
        """`elsewhere` finds another connector of a message's route. `unfit` is told what the
        carrier refuses. `ahead_ms`: this machine's clock less the one that tells what is due.
        """
        self.unfit = unfit or UnfitSettings("")
        self._connector = connector
        self.policy = policy
        self._elsewhere = elsewhere
        self._ahead_ms = ahead_ms
        self._ids = ids
        self._normalise = normalise
        self._status_name = status_name
        self.responses: dict[int, int] = {}  # by command_status
        self.in_doubt = 0
        self.retried = 0

    def answered(
        self, part: OutboundPart, command_status: int, message_id: bytes, now_ms: int, out: Effects
    ) -> None:
        """A submit_sm_resp, or a generic_nack in its place."""
        journey = part.journey
        self._count(command_status)
        if command_status == OK:
            row = self._row(part, Status.SENT, now_ms)
            if message_id:
                row.carrier_id = self._normalise(message_id)
                out.known.append(KnownId(row.carrier_id, row.id, journey.message.to))
            self._settle(journey, part.part, row, now_ms, out)
            return
        self.unfit.refused(command_status)
        message = journey.message
        action = decide(command_status, message.attempt + 1, self.policy.attempts_max)
        expired = message.expires_at is not None and message.expires_at <= now_ms
        if action.kind is Kind.FINAL or expired:
            row = self._row(part, action.status, now_ms)
            row.reason = action.reason
            row.error = self._status_name(command_status)
            self._settle(journey, part.part, row, now_ms, out)
            return
        journey.retry_status = command_status
        journey.retry_seconds = max(journey.retry_seconds, action.cooldown_seconds)
        journey.elsewhere = journey.elsewhere or action.elsewhere
        if action.kind is Kind.THROTTLE:
            journey.throttled = True
            out.throttled_generation = max(out.throttled_generation, part.generation)
        elif action.kind is Kind.SUSPEND:
            out.suspend_seconds = max(out.suspend_seconds, action.cooldown_seconds)
        elif action.kind is Kind.RECONNECT:
            out.reconnect = action.name
        self._settle(journey, None, None, now_ms, out)

    def _count(self, command_status: int) -> None:
        """Count by status. Beyond a bound new ones are counted together, so a carrier cannot grow
        metrics.
        """
        counts = self.responses
        if command_status not in counts and len(counts) >= STATUSES_COUNTED_MAX:
            command_status = OTHER_STATUS
        counts[command_status] = counts.get(command_status, 0) + 1

    def doubtful(self, part: OutboundPart, now_ms: int, out: Effects) -> None:
        """A submit_sm was written and no answer will come: it may or may not have been sent
        (E33).
        """
        self.in_doubt += 1
        journey = part.journey
        message = journey.message
        policy = self.policy.in_doubt(message.category, message.attempt)
        expired = message.expires_at is not None and message.expires_at <= now_ms
        if policy is Doubt.RESEND and not expired:
            journey.doubtful = True
            self._settle(journey, None, None, now_ms, out)
            return
        row = self._row(part, Status.UNCONFIRMED, now_ms)
        row.responded_at = None
        if policy is Doubt.FAIL:
            row.status = Status.FAILED
            row.reason = Reason.UNKNOWN
            row.error = GIVEN_UP
        self._settle(journey, part.part, row, now_ms, out)

    def answered_late(
        self, part: OutboundPart, command_status: int, message_id: bytes, now_ms: int, out: Effects
    ) -> None:
        """A submit_sm_resp for a part that doubtful() was told of.

        ESME_ROK ends the doubt. A refusal comes too late to matter.
        """
        self._count(command_status)
        if command_status != OK:
            return
        row = self._row(part, Status.SENT, now_ms)
        if message_id:
            row.carrier_id = self._normalise(message_id)
            out.known.append(KnownId(row.carrier_id, row.id, part.journey.message.to))
        out.records.append(LateResult(row))

    def unsendable(self, part: OutboundPart, now_ms: int, out: Effects) -> None:
        """A part that cannot be packed into a submit_sm. It was not written and never can be."""
        row = self._row(part, Status.FAILED, now_ms)
        row.submitted_at = row.responded_at = None
        row.reason = Reason.INTERNAL
        row.error = "cannot be packed"
        self._settle(part.journey, part.part, row, now_ms, out)

    def unwritten(self, journey: Journey, parts: int, now_ms: int, out: Effects) -> None:
        """Parts that were certainly not written. Their messages go back to the ready queue; no
        attempt is used.
        """
        journey.unanswered -= parts - 1
        journey.unwritten = True
        self._settle(journey, None, None, now_ms, out)

    def ended(
        self,
        message: ReadyMessage,
        intent: Intent,
        *,
        status: Status,
        reason: Reason,
        error: str | None,
        out: Effects,
    ) -> None:
        """A message that will not reach the wire any more. It is stored as one row of part 0.

        One that went another way before stays what that way came to.
        """
        if message.way and not message.in_doubt and not message.parts_done:
            why = status.label if reason is Reason.NONE else reason.label
            event = way_ended(message.id, self._connector, why, self._ids)
            out.records.append(
                MessageDone(
                    message.id, intent, event=event, way=message.way, way_ended=message.account
                )
            )
            return
        status = stopped(status, in_doubt=message.in_doubt, begun=bool(message.parts_done))
        row = SubmissionRow(
            id=self._ids.next(),
            message_id=message.id,
            part=0,
            parts=message.parts,
            account=message.account,
            category=message.category,
            connector=self._connector,
            status=status,
            reason=reason,
            error=error,
            way=message.way,
        )
        out.records.append(MessageDone(message.id, intent, rows=(row,), way=message.way))

    def put_off(
        self, message: ReadyMessage, intent: Intent | None, verdict: Later, out: Effects
    ) -> None:
        """A message that may not go yet. It goes back to the outbox with its moment; no attempt is
        used.
        """
        until = FREED_BY_HAND if verdict.until is None else _instant(verdict.until)
        detail: dict[str, object] = {"rule": verdict.hold.rule, **dict(verdict.about)}
        if verdict.until is not None:
            detail["until"] = until
        told = verdict.hold is not Hold.PAUSED  # the batch says that, once for all its messages
        out.records.append(
            MessageDone(
                message.id,
                intent,
                retry_at=until,
                attempt=message.attempt,
                hold=verdict.hold,
                event=self._event(message.id, "held", detail) if told else None,
            )
        )

    def moved(
        self, message: ReadyMessage, intent: Intent, verdict: Move, now_ms: int, out: Effects
    ) -> None:
        """A message that goes by another connector, at once. No attempt is used."""
        detour = Detour(verdict.connector, verdict.reason, 0)
        out.records.append(
            MessageDone(
                message.id,
                intent,
                retry_at=_instant(now_ms - self._ahead_ms()),
                attempt=message.attempt,
                hold=Hold.RETRY,
                connector=verdict.connector,
                rerouted=self._rerouted(message.id, detour),
            )
        )

    def _row(self, part: OutboundPart, status: Status, now_ms: int) -> SubmissionRow:
        message = part.journey.message
        return SubmissionRow(
            id=part.submission_id,
            message_id=message.id,
            part=part.part,
            parts=part.journey.submits,
            account=message.account,
            category=message.category,
            connector=self._connector,
            status=status,
            segments=part.journey.segments,
            way=message.way,
            submitted_at=_instant(part.submitted_at),
            responded_at=_instant(now_ms),
        )

    def _settle(
        self,
        journey: Journey,
        part: int | None,
        row: SubmissionRow | None,
        now_ms: int,
        out: Effects,
    ) -> None:
        """Count one part less to wait for. With the last one the message is done in this batch."""
        journey.unanswered -= 1
        if part is not None:
            journey.done += (part,)
        if journey.unanswered:
            if row is not None:
                out.records.append(PartResult(row))
            return
        done = self._done(journey, now_ms, out)
        if row is not None:
            done.rows = (row,)
        out.records.append(done)

    def _done(self, journey: Journey, now_ms: int, out: Effects) -> MessageDone:
        message, intent = journey.message, journey.intent
        if journey.doubtful or (journey.retry_status is not None and not journey.throttled):
            return self._retry(journey, now_ms)
        if not (journey.throttled or journey.unwritten):
            return MessageDone(message.id, intent, way=message.way)
        message.parts_done = message.parts_done.union(journey.done)
        message.cost = message.parts - len(message.parts_done) * journey.segments
        out.requeue.append(message)
        event = None
        if journey.throttled and journey.retry_status is not None:
            status = self._status_name(journey.retry_status)
            event = self._event(message.id, "throttled", {"command_status": status})
        return MessageDone(message.id, intent, requeued=True, event=event)

    def _retry(self, journey: Journey, now_ms: int) -> MessageDone:
        message = journey.message
        detail: dict[str, object] = {"attempt": message.attempt + 1}
        detour: Detour | None = None
        kind: EventKind
        if journey.doubtful:
            delay = self.policy.doubt_grace_seconds
            kind, detail["policy"] = "in_doubt", Doubt.RESEND.value
        else:
            assert journey.retry_status is not None
            delay = journey.retry_seconds
            kind, detail["command_status"] = "retry", self._status_name(journey.retry_status)
            detour = self._detour(journey)
        if detour is not None and message.attempt + 1 < detour.connectors:
            delay = 0.0  # this one has not refused it yet
        self.retried += 1
        retry_at = _instant(now_ms - self._ahead_ms() + int(delay * 1000))
        detail["not_before"] = retry_at
        return MessageDone(
            message.id,
            journey.intent,
            retry_at=retry_at,
            attempt=message.attempt + 1,
            hold=Hold.RETRY,
            connector=0 if detour is None else detour.connector,
            in_doubt=journey.doubtful,
            event=self._event(message.id, kind, detail),
            rerouted=None if detour is None else self._rerouted(message.id, detour),
        )

    def _detour(self, journey: Journey) -> Detour | None:
        """Where the next attempt goes, if the connector was at fault.

        A message stays when it may have been sent here, or when a part of it was (E80).
        """
        message = journey.message
        if not journey.elsewhere or message.in_doubt or journey.done or message.parts_done:
            return None
        return self._elsewhere(self._connector, message)

    def _rerouted(self, message_id: int, detour: Detour) -> Event:
        detail = {"from": self._connector, "to": detour.connector, "reason": detour.reason}
        return Event(self._ids.next(), message_id, "rerouted", detail)

    def _event(self, message_id: int, kind: EventKind, detail: dict[str, object]) -> Event:
        detail["connector"] = self._connector
        return Event(self._ids.next(), message_id, kind, detail)


# The parts of one write and the answers of one read have one moment.
@lru_cache(maxsize=1024)
def _instant(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
