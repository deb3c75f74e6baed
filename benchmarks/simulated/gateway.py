"""The sending side of a gateway, as the composition root builds it, over memory.

Owns the wiring, the start after whatever was left behind, and the end. Must not do anything itself:
dispatcher, planner, recorder, sessions and the rest are the real ones.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime
from typing import Any, Final, cast

from benchmarks.simulated.carrier import PORT, address
from benchmarks.simulated.clock import BEGAN_MS, VirtualLoop
from benchmarks.simulated.connections import MemoryDatabase
from benchmarks.simulated.schedule import Step
from benchmarks.simulated.store import Store, Stored, Waiting
from dispatch.answers.doubt import OutcomePolicy
from dispatch.answers.outcomes import Outcomes
from dispatch.answers.receipt_intake import ReceiptIntake
from dispatch.answers.receipt_reading import ReceiptManners, ReceiptReader
from dispatch.answers.recorder import Recorder
from dispatch.clock import Clock
from dispatch.dispatcher import Dispatcher
from dispatch.message import ReadyMessage
from dispatch.outbox.handover import Handover
from dispatch.outbox.recovery import recover
from dispatch.outbox.refill import Refiller
from dispatch.queue.batch_pace import BatchPace
from dispatch.queue.pace import Pace
from dispatch.queue.ready_queue import ReadyQueue
from dispatch.wire.connector_dispatch import ConnectorDispatch
from dispatch.wire.intents import IntentWriter
from dispatch.wire.querying import Querying
from dispatch.wire.wire_profile import WireProfile
from dlr.parked import ParkedReceipts
from ratelimit.spec import RateSpec
from smpp.bind_pool import BindPool
from smpp.bind_settings import BindSettings
from smpp.vocabulary import status_name
from storage.crypto import NumberVault
from storage.faults import UNAVAILABLE
from storage.ids import IdSource
from storage.terms import HostIdentity

CONNECTOR: Final = 7
RATE: Final = RateSpec(20, 1, 4)  # parts a second, and as many at once
WINDOW: Final = 4
BINDS: Final = 2
CAPACITY_PARTS: Final = 20  # small, so that messages wait in the outbox too
RECEIPTS_WAITING_MAX: Final = 6  # small, so that the carrier is told to wait
RECOVERY_PAUSE_SECONDS: Final = 1.0
DRAIN_SECONDS: Final = 5.0
ASLEEP_SECONDS: Final = 100_000.0
SWEEP_SECONDS: Final = 30.0  # while receipts are parked


class _Idle:
    """There is one connector, and its carrier is asked nothing."""

    def start(self) -> None:
        """Nothing to do."""

    async def stop(self) -> None:
        """Nothing was done."""


class _Refiller(Refiller):
    """It sleeps while the outbox is empty: in an hour without traffic that is most of the work."""

    def __init__(self, store: Store, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._store = store
        self.asleep = False

    def _pause_seconds(self) -> float:
        self.asleep = not self._store.outbox.rows
        return ASLEEP_SECONDS if self.asleep else super()._pause_seconds()


class Gateway:
    """One process of it. Made and started within its life."""

    def __init__(
        self, loop: VirtualLoop, database: MemoryDatabase, vault: NumberVault, term: int
    ) -> None:
        self.term = term
        self.failures: list[str] = []
        self._loop = loop
        self._database = database
        self._store: Store = database.store
        self._vault = vault
        self._started = False
        self._sweeping: asyncio.Task[None] | None = None
        clock = Clock(
            wall_ms=lambda: BEGAN_MS + int(loop.time() * 1000),
            monotonic_ns=lambda: int(loop.time() * 1e9),
            database_ms=lambda: BEGAN_MS + int(loop.time() * 1000),
        )
        above = max((*self._store.submission.rows, *self._store.message.rows, 0))
        self.ids = IdSource(term, clock.wall_ms, above=above)
        self.recorder = Recorder(
            database.dedicated("record"),
            ids=self.ids,
            term=term,
            vault=vault,
            waiting_max=10_000,
            receipts_waiting_max=RECEIPTS_WAITING_MAX,
            committed=lambda: self.dispatch.recorded(),
            alone=lambda: term == 1,
        )
        self.intents = IntentWriter(database.dedicated("intent"), term=term, looks=(), vault=vault)
        self._batches = BatchPace()
        self.dispatch = self._connector(clock)
        self.parked = ParkedReceipts(self.ids, follow_up=self.recorder.follow_up)
        self.refiller = _Refiller(
            self._store,
            database.dedicated("refill"),
            {CONNECTOR: self.dispatch},
            batches=self._batches,
            vault=vault,
            ids=self.ids,
            term=term,
            monotonic=loop.time,
            ended=self._ended,
        )
        self.dispatcher = Dispatcher(
            {CONNECTOR: self.dispatch},
            intents=self.intents,
            recorder=self.recorder,
            refiller=self.refiller,
            handover=cast("Handover", _Idle()),
            querying=cast("Querying", _Idle()),
            term=term,
        )

    def _connector(self, clock: Clock) -> ConnectorDispatch:
        reader = ReceiptReader(CONNECTOR, ReceiptManners(), indexes=self._vault.indexes)
        return ConnectorDispatch(
            "sim",
            CONNECTOR,
            ready=ReadyQueue[ReadyMessage](CAPACITY_PARTS),
            pace=Pace(RATE, clock.monotonic_ns()),
            profile=WireProfile(),
            outcomes=Outcomes(
                CONNECTOR,
                policy=OutcomePolicy(),
                ids=self.ids,
                normalise=reader.answer_id,
                status_name=status_name,
            ),
            batches=self._batches,
            intake=ReceiptIntake(self.recorder, reader=reader, wall_ms=clock.wall_ms),
            intents=self.intents,
            recorder=self.recorder,
            ids=self.ids,
            clock=clock,
            down=set(),
        )

    async def run(self) -> None:
        """Take over what the life before has left, then bind and send."""
        await self._recover()
        settings = BindSettings(
            host="carrier", port=PORT, system_id="shop", password="secret", window=WINDOW,
            bind_attempts_per_minute_max=60,
        )  # fmt: skip
        self._started = True
        self.dispatch.start(BindPool("sim", settings, BINDS, self.dispatch))
        self.dispatcher.start()
        self.committed()

    def accept(self, step: Step, ids: IdSource) -> None:
        """A message is committed, and goes straight on where there is room, as after an accept."""
        to = address(step.number)
        text = "x" * (160 if step.parts == 1 else 153 * step.parts)
        message = ReadyMessage(
            id=ids.next(), category=step.category, account=step.account, parts=step.parts,
            cost=step.parts, to=to, to_idx=self._vault.index(to), sender="SHOP", text=text,
        )  # fmt: skip
        here = self._started and self.dispatcher.reserve(CONNECTOR, step.category, step.parts)
        self._store.message.put(
            Stored(message.id, step.number, step.category, step.account, step.parts, to, text)
        )
        self._store.outbox.put(
            Waiting(
                message.id, CONNECTOR, step.category, step.account, step.parts,
                owner=self.term if here else 0,
            )
        )  # fmt: skip
        self._store.commit()
        self.committed()
        if here:
            self.dispatcher.push(CONNECTOR, [message])
        elif self._started:
            self.dispatcher.backlog(CONNECTOR, step.category)

    def committed(self) -> None:
        """Something was committed, here or by a life before: it may be ours to do."""
        if not self._started:
            return
        if self.refiller.asleep and self._store.outbox.rows:
            self.refiller.look_again()
        if self._store.parked.rows and self._sweeping is None:
            self._sweeping = self._loop.create_task(self._sweep())

    async def stop(self) -> None:
        """In good order: nothing new, then what is in flight, then what is to be stored."""
        if not self._started:
            return
        self._started = False
        await self.dispatcher.stop(DRAIN_SECONDS)
        try:
            connection = await self._database.dedicated("end").connection()
            await self.dispatcher.give_back(connection)
        except UNAVAILABLE:
            return  # the next start takes it over

    async def _sweep(self) -> None:
        dedicated = self._database.dedicated("parked")
        while self._store.parked.rows and self._started:
            await asyncio.sleep(SWEEP_SECONDS)
            with contextlib.suppress(*UNAVAILABLE):
                now = datetime.fromtimestamp(BEGAN_MS / 1000 + self._loop.time(), UTC)
                await self.parked.turn(await dedicated.connection(), now)
        self._sweeping = None

    async def _recover(self) -> None:
        try:
            await recover(
                await self._database.dedicated("recovery").connection(),
                HostIdentity("here", 1, ""),
                own_term=self.term,
                ids=self.ids,
                policy=OutcomePolicy(),
            )
        except UNAVAILABLE:
            await asyncio.sleep(RECOVERY_PAUSE_SECONDS)
            await self._recover()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            self.failures.append(f"{task.get_name()} has ended: {task.exception()!r}")
