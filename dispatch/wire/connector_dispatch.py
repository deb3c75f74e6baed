"""One connector's way out: ready queue -> intent -> window, and its answers back to the recorder.

Owns when a message is named by an intent, and when it is written to which bind. Must not decide the
order (queue/), the pace, or what an answer means (answers/). Everything runs in event-loop
callbacks of at most SLICE_ITEMS parts: no task and no lock per message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from dispatch.answers.carrier_queries import CarrierQueries
from dispatch.answers.outcomes import Effects, Outcomes
from dispatch.answers.receipt_intake import ReceiptIntake
from dispatch.answers.recorder import Recorder
from dispatch.answers.records import MessageDone
from dispatch.clock import Clock
from dispatch.journey import OutboundPart
from dispatch.message import ReadyMessage
from dispatch.queue.batch_pace import BatchPace
from dispatch.queue.pace import Pace
from dispatch.queue.ready_queue import ReadyQueue
from dispatch.wire.intents import IntentWriter
from dispatch.wire.late_answers import LateAnswers
from dispatch.wire.loading import Line, Loader, packable
from dispatch.wire.planner import SLICE_ITEMS, Planner
from dispatch.wire.wire_profile import WireProfile
from recipients.just_stopped import JustStopped
from smpp.bind_pool import BindPool
from smpp.client import Bind
from smpp.events import Delivery, QueryResponse, SubmitResponse
from smpp.pdu import SubmitSm
from storage.ids import IdSource

FREE_AFTER_SECONDS = 3.0
RECONNECT_DRAIN_SECONDS = 5.0  # for what is in flight when a session is ended
SUSPENDED = "suspended"


class ConnectorDispatch:
    """Implements smpp's BindListener for all binds of one connector."""

    def __init__(
        self,
        name: str,
        connector: int,
        *,
        ready: ReadyQueue[ReadyMessage],
        pace: Pace,
        profile: WireProfile,
        outcomes: Outcomes,
        batches: BatchPace,
        intake: ReceiptIntake,
        intents: IntentWriter,
        recorder: Recorder,
        ids: IdSource,
        clock: Clock,
        down: set[str],
        stopped: JustStopped | None = None,
        queries: CarrierQueries | None = None,
    ) -> None:
        """`down` is shared with routing: the names of connectors that have no bind."""
        self.name = name
        self.connector = connector
        self.ready = ready
        self.pace = pace
        self.profile = profile
        self.outcomes = outcomes
        self.intake = intake
        self.queries = queries
        self._recorder = recorder
        self._ids = ids
        self._clock = clock
        self._planner = Planner(
            connector,
            ready=ready,
            pace=pace,
            profile=profile,
            outcomes=outcomes,
            batches=batches,
            intents=intents,
            ids=ids,
            clock=clock,
            settled=self._planned,
            again_in=self._wake_in,
            stopped=stopped or JustStopped(),
            window_full=self._window_full,
            hurry=recorder.hurry,
        )
        self._loader = Loader(self._planner, pace, intake.reader, ids=ids, clock=clock)
        self._down = down
        self._loop = asyncio.get_running_loop()
        self._lines: dict[Bind, Line] = {}
        self._pump_scheduled = False
        self._timer: asyncio.TimerHandle | None = None
        self._freeing: asyncio.TimerHandle | None = None
        self._stopping = False
        self._withheld: dict[str, asyncio.TimerHandle | None] = {}
        self.pool: BindPool | None = None
        self.parts_written = 0
        self.parts_in_flight = 0
        self.late = LateAnswers(recorder, outcomes, intake, clock).take
        down.add(name)

    # -- from the accepter and the refiller --------------------------------------------------------

    def push(self, messages: Sequence[ReadyMessage]) -> None:
        """Queue committed messages whose room was reserved."""
        self.ready.push_reserved(messages, self._clock.monotonic_ns())
        if self.up:
            self._wake()
        else:
            self._free_soon()

    # -- life --------------------------------------------------------------------------------------

    def start(self, pool: BindPool) -> None:
        """Begin to bind."""
        self.pool = pool
        pool.start()

    async def stop(self, drain_seconds: float) -> None:
        """Write nothing new, wait for the answers to what is in flight, unbind."""
        self._stopping = True
        for timer in (self._timer, self._freeing, *self._withheld.values()):
            if timer is not None:
                timer.cancel()
        self._hand_back()
        for line in self._lines.values():
            self._drop_begun(line)
        if self.pool is not None:
            await self.pool.stop(drain_seconds)

    def recorded(self) -> None:
        """Results were committed: less is in doubt now, so more may be planned."""
        self.intake.resume()
        self._wake()

    @property
    def idle(self) -> bool:
        """Whether nothing of this connector is in memory, promised room or without a result."""
        return self._planner.idle and not len(self.ready) and not self.ready.reserved

    @property
    def up(self) -> bool:
        """Whether a bind is there to write to, and nothing forbids writing."""
        return bool(self._lines) and not self._withheld

    @property
    def roomiest(self) -> Bind | None:
        """The bind with most room in its window; None while nothing may be written."""
        if self._stopping or not self.up:
            return None
        return max(self._lines, key=lambda bind: bind.free_slots)

    @property
    def withheld(self) -> tuple[str, ...]:
        """Why nothing is written although binds may be up."""
        return tuple(self._withheld)

    def withhold(self, why: str, seconds: float | None = None) -> None:
        """Write nothing for so long, or until release(). What waits may go by another connector."""
        known = self._withheld.get(why)
        if known is not None:
            known.cancel()
        self._withheld[why] = (
            None if seconds is None else self._loop.call_later(seconds, self.release, why)
        )
        self._down.add(self.name)
        if not self._stopping:
            for line in self._lines.values():
                self._drop_begun(line)
            self._hand_back()
            self.free_waiting()

    def release(self, why: str) -> None:
        """Write again, unless something else forbids it."""
        timer = self._withheld.pop(why, None)
        if timer is not None:
            timer.cancel()
        self._came_up()

    # -- BindListener ------------------------------------------------------------------------------

    def bound(self, bind: Bind) -> None:
        if bind.settings.bind != "receiver":
            self._lines[bind] = Line(bind)
            self._came_up()

    def unbound(self, bind: Bind, reason: str, in_flight: list[object]) -> None:
        self.intake.forget(bind)
        if self.queries is not None:
            self.queries.forget(bind)
        self._doubt(in_flight)
        self._leave(bind)

    def _leave(self, bind: Bind) -> None:
        """Stop writing to this session."""
        line = self._lines.pop(bind, None)
        if line is not None:
            self._drop_begun(line)
        if not self._lines:
            self._down.add(self.name)
            self._hand_back()
            self._free_soon()

    def _came_up(self) -> None:
        if self.up:
            self._down.discard(self.name)
            if self._freeing is not None:
                self._freeing.cancel()
                self._freeing = None
            self._wake()

    def expired(self, bind: Bind, contexts: list[object]) -> None:
        self._doubt(contexts)
        self._wake()

    def responses(self, bind: Bind, responses: list[SubmitResponse]) -> None:
        self._refill(bind, responses)
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
        self._apply(effects)
        if effects.reconnect is not None:
            self._leave(bind)
            bind.renew(RECONNECT_DRAIN_SECONDS, effects.reconnect)
        if effects.suspend_seconds:
            self.withhold(SUSPENDED, effects.suspend_seconds)

    def queried(self, bind: Bind, responses: list[QueryResponse]) -> None:
        if self.queries is not None and self.queries.answered(bind, responses):
            self.pace.throttled(self.pace.generation, self._clock.monotonic_ns())

    def deliveries(self, bind: Bind, deliveries: list[Delivery]) -> None:
        self.intake.take(bind, deliveries)

    def writable(self, bind: Bind) -> None:
        self._wake()

    # -- the pump ----------------------------------------------------------------------------------

    def _wake(self) -> None:
        if not self._pump_scheduled and not self._stopping:
            self._pump_scheduled = True
            self._loop.call_soon(self._pump)

    def _planned(self, effects: Effects) -> None:
        """An intent was committed, or has failed."""
        self._apply(effects)
        if self._stopping or not self.up:
            self._hand_back()
            self._free_soon()

    def _window_full(self) -> bool:
        return self.up and not any(line.bind.free_slots for line in self._lines.values())

    def _wake_in(self, nanoseconds: int) -> None:
        if not nanoseconds:
            self._wake()
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(max(nanoseconds, 100_000) / 1e9, self._wake)

    def _pump(self) -> None:
        self._pump_scheduled = False
        if self._stopping or not self.up:
            return
        for line in self._lines.values():
            self._write(line)
        self._planner.plan(sum(line.bind.settings.window for line in self._lines.values()))

    def _refill(self, bind: Bind, responses: list[SubmitResponse]) -> None:
        """Fill a window that was full before its answers are looked at, if all are ESME_ROK.

        That saves time on the wire to a carrier far away.
        """
        line = self._lines.get(bind)
        if line is None or self._stopping or not self.up or bind.free_slots != len(responses):
            return
        if not any(response.command_status for response in responses):
            self._write(line)

    def _write(self, line: Line) -> None:
        """Fill this bind's window as far as pace and intents allow, with one transport.write."""
        room = min(line.bind.free_slots, SLICE_ITEMS)
        if room <= 0 or not (line.begun or self._planner):
            return
        now_ns = self._clock.monotonic_ns()
        if self.pace.available(now_ns) <= 0:
            self._wake_in(self.pace.wait_ns(now_ns))
            return
        effects = Effects()
        parts = self._loader.load(line, room, now_ns, effects)
        if parts:
            self._submit(line, parts, now_ns, effects)
        elif line.begun:  # one submit_sm of more parts than the pace has now
            self._wake_in(self.pace.wait_ns(now_ns, line.begun.segments))
            self._apply(effects, wake=False)
            return
        more = line.begun or self._planner
        # Who has more to write and room for it comes back by itself, not with the next answer.
        self._apply(effects, wake=bool(more) and line.bind.free_slots > 0)

    def _submit(
        self,
        line: Line,
        parts: list[tuple[SubmitSm, OutboundPart]],
        now_ns: int,
        effects: Effects,
    ) -> None:
        self._planner.written(sum(part.journey.segments for _, part in parts))
        try:
            taken = line.bind.submit(parts)
        except ValueError:
            # Validation let a message through that cannot be packed: that one alone fails.
            parts = packable(parts, self.outcomes, self._clock.wall_ms(), effects)
            taken = line.bind.submit(parts)
        self.pace.take(sum(part.journey.segments for _, part in parts[:taken]), now_ns)
        self.parts_written += taken
        self.parts_in_flight += taken
        now_ms = self._clock.wall_ms()
        for _, part in parts[taken:]:  # the session closed meanwhile: certainly not written
            self.outcomes.unwritten(part.journey, 1, now_ms, effects)

    # -- handing back ------------------------------------------------------------------------------

    def _hand_back(self) -> None:
        effects = Effects()
        self._planner.hand_back(effects)
        self._apply(effects)

    def _free_soon(self) -> None:
        """Nothing can be written. Messages stay in memory for a moment: most links are back
        soon.
        """
        if self._freeing is None and not self._stopping:
            self._freeing = self._loop.call_later(FREE_AFTER_SECONDS, self.free_waiting)

    def free_waiting(self) -> None:
        """Still not up: free what waits in memory for any process that has a bind.

        Through the recorder: results of sent parts are stored before another process looks (E79).
        """
        self._freeing = None
        if self._stopping or self.up:
            return
        self._planner.bring_back()
        now = datetime.fromtimestamp(self._clock.wall_ms() / 1000, UTC)
        freed = [
            MessageDone(message.id, None, retry_at=now, attempt=message.attempt)
            for message in self.ready.drain()
        ]
        if freed:
            self._recorder.record(freed)

    def _drop_begun(self, line: Line) -> None:
        """The bind ended within a message. Its unwritten parts are tried on another bind."""
        journey, line.begun = line.begun, None
        if journey is None or not journey.unsent:
            return
        effects = Effects()
        parts = len(journey.unsent)
        journey.unsent.clear()
        self._planner.written(parts * journey.segments)
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

    def _apply(self, effects: Effects, *, wake: bool = True) -> None:
        if effects.records:
            self._recorder.record(effects.records)
        if effects.requeue:
            self._planner.returned(effects.requeue)
            if not self.up:
                self._free_soon()
        if wake:
            self._wake()
