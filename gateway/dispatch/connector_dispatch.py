"""One connector's way out: ready queue -> intent -> window, and its answers back to the recorder.

Owns when messages of this connector are named by an intent and when they are written to which bind.
Decides neither order (fair_scheduler), nor pace (token bucket), nor what an answer means
(outcomes): it brings them together. Everything runs in event-loop callbacks of at most SLICE_ITEMS
parts; there is no task and no lock per message.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

import msgspec
import structlog

from dlr.reasons import Reason
from dlr.status import Status
from gateway.dispatch.clock import Clock
from gateway.dispatch.encoder import encode_message
from gateway.dispatch.inbound import ReceiptIntake
from gateway.dispatch.intents import IntentWriter
from gateway.dispatch.message import Batch, Doubt, Journey, OutboundPart, ReadyMessage
from gateway.dispatch.outcomes import Effects, Outcomes
from gateway.dispatch.pace import Pace
from gateway.dispatch.ready_queue import ReadyQueue
from gateway.dispatch.recorder import Recorder
from smpp.bind_pool import BindPool
from smpp.client import Bind
from smpp.events import Delivery, SubmitResponse
from smpp.pdu import SubmitSm
from smpp.text import TooManyParts, Unencodable
from storage.categories import Category
from storage.group_commit import QueueFull
from storage.ids import IdSource

SLICE_ITEMS = 200
INTENT_RETRY_SECONDS = 0.5
WINDOWS_IN_DOUBT_MAX = 2  # named by an intent, written or not, and without a stored result

_log = structlog.get_logger(__name__)


class _Line(msgspec.Struct, eq=False):
    """One bind and the message whose parts it has begun to write: the rest follows on the same bind
    (E80).
    """

    bind: Bind
    begun: Journey | None = None


class ConnectorDispatch:
    """Implements smpp's BindListener for all binds of one connector."""

    def __init__(
        self,
        name: str,
        connector: int,
        *,
        ready: ReadyQueue[ReadyMessage],
        pace: Pace,
        outcomes: Outcomes,
        intake: ReceiptIntake,
        intents: IntentWriter,
        recorder: Recorder,
        ids: IdSource,
        clock: Clock,
        down: set[str],
    ) -> None:
        """`down` is shared with routing: it holds the names of connectors that have no bind."""
        self.name = name
        self.connector = connector
        self.ready = ready
        self.pace = pace
        self.outcomes = outcomes
        self.intake = intake
        self._intents = intents
        self._recorder = recorder
        self._ids = ids
        self._clock = clock
        self._down = down
        self._loop = asyncio.get_running_loop()
        self._lines: dict[Bind, _Line] = {}
        self._prepared_otp: deque[Journey] = deque()
        self._prepared: deque[Journey] = deque()
        self._planned_parts = 0  # being committed or prepared, not yet written
        self._doubt_now = Doubt()
        self._pump_scheduled = False
        self._timer: asyncio.TimerHandle | None = None
        self._intent_pause_until_ns = 0
        self._stopping = False
        self.pool: BindPool | None = None
        self.parts_written = 0
        self.parts_in_flight = 0
        down.add(name)

    # -- from the accepter and the refiller --------------------------------------------------------

    def push(self, messages: Sequence[ReadyMessage]) -> None:
        """Committed messages whose room in the ready queue was reserved."""
        self.ready.push_reserved(messages, self._clock.monotonic_ns())
        self._wake()

    # -- life --------------------------------------------------------------------------------------

    def start(self, pool: BindPool) -> None:
        """Begin to bind."""
        self.pool = pool
        pool.start()

    async def stop(self, drain_seconds: float) -> None:
        """Write nothing new, wait for the answers of what is in flight, unbind."""
        self._stopping = True
        if self._timer is not None:
            self._timer.cancel()
        self._hand_back_prepared()
        for line in self._lines.values():
            self._drop_begun(line)
        if self.pool is not None:
            await self.pool.stop(drain_seconds)

    def recorded(self) -> None:
        """Results were committed: what stands in doubt has shrunk, more may be planned."""
        self.intake.resume()
        self._wake()

    @property
    def up(self) -> bool:
        """Whether a bind is there to write to."""
        return bool(self._lines)

    # -- BindListener ------------------------------------------------------------------------------

    def bound(self, bind: Bind) -> None:
        if bind.settings.bind != "receiver":
            self._lines[bind] = _Line(bind)
            self._down.discard(self.name)
            self._wake()

    def unbound(self, bind: Bind, reason: str, in_flight: list[object]) -> None:
        line = self._lines.pop(bind, None)
        if line is not None:
            self._drop_begun(line)
        self.intake.forget(bind)
        self._doubt(in_flight)
        if not self._lines:
            self._down.add(self.name)
            self._hand_back_prepared()

    def expired(self, bind: Bind, contexts: list[object]) -> None:
        self._doubt(contexts)
        self._wake()

    def responses(self, bind: Bind, responses: list[SubmitResponse]) -> None:
        effects = Effects()
        now_ms = self._clock.wall_ms()
        for response in responses:
            part = response.context
            assert isinstance(part, OutboundPart)
            self.outcomes.answered(
                part, response.command_status, response.message_id, now_ms, effects
            )
        self.parts_in_flight -= len(responses)
        self.intake.remember(effects.known)
        if effects.throttled_generation >= 0:
            self.pace.throttled(effects.throttled_generation, self._clock.monotonic_ns())
        elif effects.pause_seconds:
            self.pace.pause(self._clock.monotonic_ns(), effects.pause_seconds)
        self._apply(effects)

    def deliveries(self, bind: Bind, deliveries: list[Delivery]) -> None:
        self.intake.take(bind, deliveries)

    def writable(self, bind: Bind) -> None:
        self._wake()

    # -- the pump ----------------------------------------------------------------------------------

    def _wake(self) -> None:
        if not self._pump_scheduled and not self._stopping:
            self._pump_scheduled = True
            self._loop.call_soon(self._pump)

    def _wake_in(self, nanoseconds: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(max(nanoseconds, 100_000) / 1e9, self._wake)

    def _pump(self) -> None:
        self._pump_scheduled = False
        if self._stopping or not self._lines:
            return
        for line in self._lines.values():
            self._write(line)
        self._plan()

    def _write(self, line: _Line) -> None:
        """Fill this bind's window as far as pace and intents allow: one transport.write."""
        room = min(line.bind.free_slots, SLICE_ITEMS)
        if room <= 0 or not (line.begun or self._prepared_otp or self._prepared):
            return
        now_ns = self._clock.monotonic_ns()
        allowed = min(room, self.pace.available(now_ns))
        if allowed <= 0:
            self._wake_in(self.pace.wait_ns(now_ns))
            return
        now_ms = self._clock.wall_ms()
        parts: list[tuple[SubmitSm, OutboundPart]] = []
        effects = Effects()
        while len(parts) < allowed:
            journey = line.begun or self._next_prepared(now_ms, effects)
            if journey is None:
                break
            unsent = journey.unsent
            assert unsent is not None
            while unsent and len(parts) < allowed:
                number, submit_sm = unsent.pop()
                parts.append(
                    (
                        submit_sm,
                        OutboundPart(
                            journey, number, self._ids.next(), now_ms, self.pace.generation
                        ),
                    )
                )
            line.begun = journey if unsent else None
        if parts:
            self._submit(line, parts, now_ns, effects)
        more = line.begun or self._prepared_otp or self._prepared
        # Whoever has more to write and room for it comes back by itself, not with the next answer.
        self._apply(effects, wake=bool(more) and line.bind.free_slots > 0)

    def _submit(
        self,
        line: _Line,
        parts: list[tuple[SubmitSm, OutboundPart]],
        now_ns: int,
        effects: Effects,
    ) -> None:
        taken = line.bind.submit(parts)
        self.pace.take(taken, now_ns)
        self._planned_parts -= len(parts)
        self.parts_written += taken
        self.parts_in_flight += taken
        now_ms = self._clock.wall_ms()
        for _, part in parts[taken:]:  # the session closed under our hands: certainly not written
            self.outcomes.unwritten(part.journey, 1, now_ms, effects)

    def _next_prepared(self, now_ms: int, effects: Effects) -> Journey | None:
        """The next message whose intent is committed, with its parts encoded; what may not be sent
        ends here.
        """
        while True:
            if self._prepared_otp:
                journey = self._prepared_otp.popleft()
            elif self._prepared:
                journey = self._prepared.popleft()
            else:
                return None
            message = journey.message
            if message.expires_at is not None and message.expires_at <= now_ms:
                self._end(journey, Status.EXPIRED, Reason.EXPIRED, "expired in our queue", effects)
                continue
            try:
                journey.unsent = encode_message(message, now_ms)
            except (TooManyParts, Unencodable, ValueError) as error:
                _log.error("message_unsendable", message_id=message.id, error=str(error)[:200])
                self._end(journey, Status.FAILED, Reason.INTERNAL, "cannot be encoded", effects)
                continue
            return journey

    def _end(
        self, journey: Journey, status: Status, reason: Reason, error: str, effects: Effects
    ) -> None:
        self._planned_parts -= journey.message.cost
        self.outcomes.ended(
            journey.message, journey.batch, status=status, reason=reason, error=error, out=effects
        )

    # -- intents -----------------------------------------------------------------------------------

    def _plan(self) -> None:
        """Have the next messages named by an intent, up to one further window, while the present
        one is in flight.
        """
        now_ns = self._clock.monotonic_ns()
        if now_ns < self._intent_pause_until_ns:
            self._wake_in(self._intent_pause_until_ns - now_ns)
            return
        window = sum(line.bind.settings.window for line in self._lines.values())
        room = min(
            self.pace.ahead(window) - self._planned_parts,
            WINDOWS_IN_DOUBT_MAX * window - self._doubt_now.messages,
            SLICE_ITEMS,
        )
        if not self._doubt_now.messages:
            room = max(room, self.ready.next_cost())  # a message larger than all that still goes
        if room <= 0 or not len(self.ready):
            return
        messages = self.ready.take(room, now_ns)
        otp = [message for message in messages if message.category == Category.OTP]
        rest = [message for message in messages if message.category != Category.OTP]
        for group in (otp, rest):  # an OTP gets its own intent
            if group:
                self._commit(
                    Batch(self._ids.next(), self.connector, group, len(group), self._doubt_now)
                )
        if messages and len(self.ready):
            self._wake()

    def _commit(self, batch: Batch) -> None:
        cost = sum(message.cost for message in batch.messages)
        try:
            future = self._intents.commit(batch)
        except QueueFull:
            self._requeue(batch.messages)
            self._pause_intents()
            return
        self._planned_parts += cost
        self._doubt_now.messages += len(batch.messages)
        future.add_done_callback(lambda done: self._committed(batch, cost, done.result()[0]))

    def _committed(self, batch: Batch, cost: int, result: dict[int, int] | BaseException) -> None:
        if isinstance(result, BaseException):
            self._planned_parts -= cost
            self._doubt_now.messages -= len(batch.messages)
            _log.warning("intent_failed", connector=self.name, error=repr(result))
            self._requeue(batch.messages)
            self._pause_intents()
            return
        effects = Effects()
        otp = batch.messages[0].category == Category.OTP
        queue = self._prepared_otp if otp else self._prepared
        for message in batch.messages:
            reason = result.get(message.id)
            journey = Journey(message, batch, message.cost)
            if reason is None:
                queue.append(journey)
            else:
                self._end(journey, Status.SUPPRESSED, Reason(reason), "", effects)
        self._apply(effects)
        if self._stopping or not self._lines:
            self._hand_back_prepared()

    def _pause_intents(self) -> None:
        self._intent_pause_until_ns = self._clock.monotonic_ns() + int(INTENT_RETRY_SECONDS * 1e9)
        self._wake()

    # -- handing back ------------------------------------------------------------------------------

    def _hand_back_prepared(self) -> None:
        """No bind is left: what was named by an intent and not written goes back, no
        attempt used.
        """
        effects = Effects()
        now_ms = self._clock.wall_ms()
        for queue in (self._prepared_otp, self._prepared):
            while queue:
                journey = queue.pop()
                self._planned_parts -= journey.message.cost
                self.outcomes.unwritten(journey, journey.unanswered, now_ms, effects)
        self._apply(effects)

    def _drop_begun(self, line: _Line) -> None:
        """The bind is gone in the middle of a message: its unwritten parts will be tried on
        another.
        """
        journey, line.begun = line.begun, None
        if journey is None or not journey.unsent:
            return
        effects = Effects()
        parts = len(journey.unsent)
        journey.unsent.clear()
        self._planned_parts -= parts
        self.outcomes.unwritten(journey, parts, self._clock.wall_ms(), effects)
        self._apply(effects)

    def _doubt(self, contexts: list[object]) -> None:
        effects = Effects()
        now_ms = self._clock.wall_ms()
        for part in contexts:
            assert isinstance(part, OutboundPart)
            self.outcomes.doubtful(part, now_ms, effects)
        self.parts_in_flight -= len(contexts)
        self._apply(effects)

    def _requeue(self, messages: Sequence[ReadyMessage]) -> None:
        now = self._clock.monotonic_ns()
        for message in reversed(messages):
            self.ready.push_front(message, now)

    def _apply(self, effects: Effects, *, wake: bool = True) -> None:
        if effects.records:
            self._recorder.record(effects.records)
        if effects.requeue:
            self._requeue(effects.requeue)
        if wake:
            self._wake()
