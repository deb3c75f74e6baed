"""One connector's messages between ready queue and window: named by an intent and encoded.

Owns how many messages open intents may name, the order in which they are prepared, and what comes
back unwritten. Must not write to a bind: connector_dispatch.py does. Runs in event-loop callbacks
of at most SLICE_ITEMS parts.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable
from operator import attrgetter

import structlog

from dispatch.answers.outcomes import Effects, Outcomes
from dispatch.clock import Clock
from dispatch.holds import Hold
from dispatch.journey import InDoubt, Intent, Journey
from dispatch.message import Ended, Later, Move, ReadyMessage, StopVerdict
from dispatch.queue.batch_pace import BatchPace
from dispatch.queue.pace import Pace
from dispatch.queue.ready_queue import ReadyQueue
from dispatch.wire.encoder import encode_message
from dispatch.wire.intents import IntentWriter
from dispatch.wire.wire_profile import WireProfile
from dlr.reasons import Reason
from dlr.status import Status
from recipients.just_stopped import JustStopped
from smpp.text import TooManyParts, Unencodable
from storage.categories import Category
from storage.faults import without_values
from storage.group_commit import QueueClosed, QueueFull
from storage.ids import IdSource

SLICE_ITEMS = 200
INTENT_RETRY_NS = 500_000_000
# No more is named while what is named lasts this long at the connector's pace. An intent takes some
# milliseconds, so few large ones cost less than many small ones.
PLANNED_NS_MIN = 100_000_000
ENCODED_FOR_MS = 1000  # validity_period was written as relative, in seconds
WINDOWS_IN_DOUBT_MAX = 2  # named by an intent, written or not, and without a stored result
UNSENDABLE = (TooManyParts, Unencodable, ValueError)

_log = structlog.get_logger(__name__)


class Planner:
    """The plan of one connector."""

    def __init__(
        self,
        connector: int,
        *,
        ready: ReadyQueue[ReadyMessage],
        pace: Pace,
        profile: WireProfile,
        outcomes: Outcomes,
        batches: BatchPace,
        intents: IntentWriter,
        ids: IdSource,
        clock: Clock,
        settled: Callable[[Effects], None],
        again_in: Callable[[int], None],
        stopped: JustStopped,
        window_full: Callable[[], bool],
        hurry: Callable[[], None],
    ) -> None:
        """`settled` is told when an intent was committed or has failed.

        `again_in` asks for another plan() after so many ns. `window_full` says that nothing can be
        written now. `hurry` has what is in doubt stored at once, when nothing can be planned
        before.
        """
        self._window_full = window_full
        self._hurry = hurry
        self._connector = connector
        self._ready = ready
        self._pace = pace
        self._profile = profile
        self._outcomes = outcomes
        self._batches = batches
        self._intents = intents
        self._ids = ids
        self._clock = clock
        self._settled = settled
        self._again_in = again_in
        self._stopped = stopped
        self._prepared_otp: deque[Journey] = deque()
        self._prepared: deque[Journey] = deque()
        self._returned: list[ReadyMessage] = []  # from the wire, not yet in the ready queue again
        self._parts = 0  # being committed or prepared, not yet written
        self._in_doubt = InDoubt()
        self._pause_until_ns = 0

    def __bool__(self) -> bool:
        """Whether a message is prepared."""
        return bool(self._prepared_otp or self._prepared)

    @property
    def idle(self) -> bool:
        """Whether nothing is named by an intent, and nothing has come back."""
        return not self._in_doubt.messages and not self._returned

    def plan(self, window: int) -> None:
        """Have the next messages named by an intent, while the present window is in flight.

        Up to one further window. `window` is the sum over the binds.
        """
        now_ns = self._clock.monotonic_ns()
        if now_ns < self._pause_until_ns:
            self._again_in(self._pause_until_ns - now_ns)
            return
        undoubted = WINDOWS_IN_DOUBT_MAX * window - self._in_doubt.messages
        room = min(self._pace.ahead(window) - self._parts, undoubted, SLICE_ITEMS)
        if undoubted <= 0 and not self._parts:
            self._hurry()  # nothing is left to write until results are stored
        if self._in_doubt.messages and (room <= 0 or self._has_enough()):
            return
        self.bring_back()
        if not self._in_doubt.messages:
            # A message larger than the whole limit still goes.
            room = max(room, self._ready.next_cost())
        if room <= 0 or not len(self._ready):
            return
        messages = self._ready.take(room, now_ns)
        if self._batches:
            messages = self._sift(messages, now_ns)
        otp = [message for message in messages if message.category == Category.OTP]
        rest = [message for message in messages if message.category != Category.OTP]
        for group in (otp, rest):  # an OTP gets its own intent
            if group:
                intent = Intent(
                    self._ids.next(), self._connector, group, len(group), self._in_doubt
                )
                self._commit(intent)
        if len(self._ready) and (messages or self._batches):
            self._again_in(0)

    def _has_enough(self) -> bool:
        """Whether what is named keeps the connector busy, and no one-time password waits."""
        if self._ready.scheduler.depth(Category.OTP):
            return False
        return self._pace.duration_ns(self._parts) > PLANNED_NS_MIN

    def _sift(self, messages: list[ReadyMessage], now_ns: int) -> list[ReadyMessage]:
        """Put messages back whose batch is stopped, or that would go faster than its rate."""
        go, back = self._batches.sift(messages, now_ns)
        if back:
            effects = Effects()
            later = Later(self._clock.wall_ms(), Hold.PAUSED)
            for message in back:
                self._outcomes.put_off(message, None, later, effects)
            self._settled(effects)
        return go

    def _stopped_since(self, message: ReadyMessage, now_ms: int) -> int | None:
        about = message.account, message.category, now_ms, message.sender
        for index in (message.to_idx, *message.old_idx):
            if (reason := self._stopped.reason(index, *about)) is not None:
                return reason
        return None

    def next(self, now_ms: int, effects: Effects) -> Journey | None:
        """The next message whose intent is committed, encoded. What may not be sent ends here."""
        while self:
            queue = self._prepared_otp or self._prepared
            journey = queue.popleft()
            message = journey.message
            if message.expires_at is not None and message.expires_at <= now_ms:
                self._end(journey, Status.EXPIRED, Reason.EXPIRED, "expired in our queue", effects)
                continue
            exempt = message.options is not None and message.options.exempt
            reason = None if exempt else self._stopped_since(message, now_ms)
            if reason is not None:
                self._end(journey, Status.SUPPRESSED, Reason(reason), None, effects)
                continue
            try:
                if now_ms - journey.encoded_at >= ENCODED_FOR_MS:
                    self._encode(journey, now_ms)
            except UNSENDABLE as error:
                _log.error("message_unsendable", message_id=message.id, error=without_values(error))
                self._end(journey, Status.FAILED, Reason.INTERNAL, "cannot be encoded", effects)
                continue
            return journey
        return None

    def _encode_ahead(self, journeys: list[Journey]) -> None:
        """Encode while nothing can be written anyway. Later they only have to be packed."""
        now_ms = self._clock.wall_ms()
        for journey in journeys:
            with contextlib.suppress(*UNSENDABLE):  # next() says so
                self._encode(journey, now_ms)

    def _encode(self, journey: Journey, now_ms: int) -> None:
        """Its parts as this carrier wants them. They may be others than were counted at accept."""
        message = journey.message
        encoded = encode_message(message, self._profile, now_ms)
        journey.unsent = encoded.unsent
        journey.submits, journey.segments = encoded.total, encoded.segments
        journey.encoded_at = now_ms
        journey.unanswered = len(encoded.unsent)
        cost = encoded.cost
        self._parts += cost - message.cost
        message.parts, message.cost = encoded.parts, cost

    def written(self, parts: int) -> None:
        """So many parts left the plan, to the wire or back."""
        self._parts -= parts

    def returned(self, messages: list[ReadyMessage]) -> None:
        """Take messages that came back from the wire, to be sent again."""
        self._returned += messages

    def bring_back(self) -> None:
        """Put what came back at the head of its category, all at once.

        In the order of acceptance, in whatever order they were refused (E36).
        """
        now = self._clock.monotonic_ns()
        for message in sorted(self._returned, key=attrgetter("id"), reverse=True):
            self._ready.push_front(message, now)
        self._returned.clear()

    def hand_back(self, effects: Effects) -> None:
        """No bind is left. What is prepared was certainly not written, so no attempt is used."""
        now_ms = self._clock.wall_ms()
        for queue in (self._prepared_otp, self._prepared):
            while queue:
                journey = queue.pop()
                self._parts -= journey.message.cost
                self._outcomes.unwritten(journey, journey.unanswered, now_ms, effects)

    def _commit(self, intent: Intent) -> None:
        cost = sum(message.cost for message in intent.messages)
        try:
            future = self._intents.commit(intent)
        except (QueueFull, QueueClosed):
            self._failed(intent)
            return
        self._parts += cost
        self._in_doubt.messages += len(intent.messages)
        future.add_done_callback(lambda done: self._committed(intent, cost, done.result()[0]))

    def _committed(
        self, intent: Intent, cost: int, result: dict[int, StopVerdict] | BaseException
    ) -> None:
        effects = Effects()
        if isinstance(result, BaseException):
            self._parts -= cost
            self._in_doubt.messages -= len(intent.messages)
            _log.warning("intent_failed", connector=self._connector, error=without_values(result))
            self._failed(intent)
            self._settled(effects)
            return
        otp = intent.messages[0].category == Category.OTP
        queue = self._prepared_otp if otp else self._prepared
        prepared: list[Journey] = []
        for message in intent.messages:
            verdict = result.get(message.id)
            journey = Journey(message, intent, message.cost)
            if verdict is None:
                prepared.append(journey)
            elif isinstance(verdict, Ended):
                self._end(journey, verdict.status, verdict.reason, verdict.error, effects)
            else:
                self._parts -= message.cost
                if isinstance(verdict, Move):
                    now_ms = self._clock.wall_ms()
                    self._outcomes.moved(message, intent, verdict, now_ms, effects)
                else:
                    self._outcomes.put_off(message, intent, verdict, effects)
        intent.messages = []  # what is never answered must not hold all that was named beside it
        queue += prepared
        if self._window_full():
            self._encode_ahead(prepared)
        self._settled(effects)

    def _failed(self, intent: Intent) -> None:
        """The intent of this batch failed. Nothing of it may be written."""
        self._returned += intent.messages
        self._pause_until_ns = self._clock.monotonic_ns() + INTENT_RETRY_NS
        self._again_in(INTENT_RETRY_NS)

    def _end(
        self, journey: Journey, status: Status, reason: Reason, error: str | None, out: Effects
    ) -> None:
        message = journey.message
        self._parts -= message.cost
        self._outcomes.ended(
            message, journey.intent, status=status, reason=reason, error=error, out=out
        )
