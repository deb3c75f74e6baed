"""One simulated hour: a gateway, a carrier, a network and a database, and what a schedule does.

Owns their beginning, the carrying out of each step, and the end. Must not judge. The same schedule
gives the same world, octet for octet.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import Context
from random import Random
from typing import Any, Final
from unittest.mock import patch

import msgspec
import structlog

from benchmarks.simulated.carrier import PORT, Carrier
from benchmarks.simulated.clock import (
    BEGAN_MS,
    Life,
    VirtualLoop,
    begin,
    virtual_time,
)
from benchmarks.simulated.connections import Break, MemoryDatabase
from benchmarks.simulated.gateway import Gateway
from benchmarks.simulated.judge import Judge
from benchmarks.simulated.network import Network
from benchmarks.simulated.schedule import Kind, Schedule, Step
from benchmarks.simulated.statements import Statements
from benchmarks.simulated.store import Store
from storage.crypto import NumberVault
from storage.ids import IdSource
from storage.keys import NumberKeys

LOOK_SECONDS: Final = 20.0
LOOKS_MAX: Final = 60  # after the last step everything has to be over by then
CLIENT_NODE: Final = 200
# How often the outbox is looked at while something waits in it: five times as rarely as outside.
_PAUSES: Final = {"DUE_SECONDS": 1.0, "SWEEP_SECONDS": 5.0}


class Ran(msgspec.Struct):
    """What came of a schedule. `digest` is of all octets on the wire and when they were written."""

    faults: list[str]
    digest: int
    messages: int
    submits: int
    seconds: float


class World:
    """One hour, from its beginning to its end."""

    def __init__(self, loop: VirtualLoop, vault: NumberVault) -> None:
        self.loop = loop
        self.network = Network(loop)
        loop.network = self.network
        self.store = Store()
        self.database = MemoryDatabase(loop, self.store, Statements(self.store, vault))
        self.judge = Judge(loop, self.store)
        self.carrier = Carrier(loop, self.network, self.judge)
        self.digest = 0
        self.network.written = self._written
        self.database.committed = self._committed
        self._vault = vault
        self._client_ids = IdSource(CLIENT_NODE, lambda: BEGAN_MS + int(loop.time() * 1000))
        self._lives = 0
        self._life: Life | None = None
        self._gateway: Gateway | None = None
        self._faults: Mapping[Kind, Callable[[float], object]] = {
            Kind.CUT: lambda _: self.network.cut(deaf=False),
            Kind.CUT_DEAF: lambda _: self.network.cut(deaf=True),
            Kind.SILENCE: self._silence,
            Kind.CARRIER_STOPS: self._carrier_stops,
            Kind.CARRIER_DIES: self._carrier_dies,
            Kind.DATABASE_AWAY: self.database.go_away,
            Kind.DATABASE_SLOW: self._database_slow,
            Kind.COMMIT_LOST: lambda _: self.database.breaks.append(Break.BEFORE),
            Kind.COMMIT_UNHEARD: lambda _: self.database.breaks.append(Break.AFTER),
            Kind.KILL: self._kill,
            Kind.RESTART: self._restart,
            Kind.HELD_UP: self.loop.hold_up,
        }
        self._tasks: set[asyncio.Task[Any]] = set()  # of lives, so that none is collected

    async def run(self, schedule: Schedule) -> None:
        """Carry it out, wait until nothing is left, and have it judged."""
        self._carrier_comes()
        self._start()
        for step in schedule:
            await self._until(step.at_ms / 1000)
            self._carry_out(step)
        for _ in range(LOOKS_MAX):
            if self._gateway is not None and self.judge.settled(self.carrier):
                break
            await asyncio.sleep(LOOK_SECONDS)
        self.judge.end(self.carrier)
        unknown = set(self.database.statements.unknown)
        self.judge.faults += [f"raised: {each}" for each in (*self.loop.failures, *unknown)]
        if self._gateway is not None:
            self.judge.faults += [f"raised: {each}" for each in self._gateway.failures]

    async def _until(self, moment: float) -> None:
        if moment > self.loop.time():
            await asyncio.sleep(moment - self.loop.time())

    def _committed(self) -> None:
        if self._gateway is not None and self._life is not None:
            begin(self._life, self._gateway.committed)

    def _written(self, life: Life, data: bytes) -> None:
        self.digest = zlib.crc32(data, zlib.crc32(f"{self.loop.time():.6f}".encode(), self.digest))
        self.judge.written(life, data)

    def _carry_out(self, step: Step) -> None:
        if step.kind is Kind.MESSAGE:
            self._message(step)
        else:
            self._faults[step.kind](step.seconds)

    def _silence(self, seconds: float) -> None:
        self.network.silent_until = self.loop.time() + seconds

    def _carrier_dies(self, seconds: float) -> None:
        self.network.deafen(PORT)
        self.carrier.server.abort_sessions("the carrier died")
        self.loop.call_later(seconds, self._carrier_comes)

    def _database_slow(self, seconds: float) -> None:
        self.database.slow_until = self.loop.time() + seconds

    def _message(self, step: Step) -> None:
        self.carrier.expect(step)
        if self._gateway is None or self._life is None:
            return  # refused: nobody listens
        gateway = self._gateway
        begin(self._life, lambda: gateway.accept(step, self._client_ids))
        self.judge.accepted(next(reversed(self.store.message.rows.values())))

    # --- lives -----------------------------------------------------------------------------------

    def _start(self) -> None:
        if self._life is not None:
            return
        self._lives += 1
        life = self._life = Life(f"gateway {self._lives}")

        def first() -> None:
            self._gateway = Gateway(self.loop, self.database, self._vault, self._lives)
            self._tasks.add(self.loop.create_task(self._gateway.run()))

        begin(life, first)

    def _kill(self, seconds: float) -> None:
        if self._life is not None:
            self._over(self._life)
        self.loop.call_later(seconds, self._start)

    def _over(self, life: Life) -> None:
        life.ended = True
        self._tasks |= asyncio.all_tasks(self.loop)
        self.network.end_of(life)
        self.database.end_of(life)
        self.store.ended_terms.add(int(life.name.split()[1]))
        if self._life is life:
            if self._gateway is not None:
                self.judge.faults += [f"raised: {each}" for each in self._gateway.failures]
            self._life = self._gateway = None

    def _restart(self, seconds: float) -> None:
        life, gateway = self._life, self._gateway
        if life is None or gateway is None:
            return
        self._gateway = None  # it takes nothing any more

        async def stop() -> None:
            await gateway.stop()
            self.loop.call_soon(self._over, life, context=Context())
            self.loop.call_later(seconds, self._start, context=Context())

        begin(life, lambda: self._tasks.add(self.loop.create_task(stop())))

    def _carrier_comes(self) -> None:
        begin(
            Life("carrier"),
            lambda: self._tasks.add(self.loop.create_task(self.carrier.server.start())),
        )

    def _carrier_stops(self, seconds: float) -> None:
        self.loop.call_later(seconds, self._carrier_comes)
        begin(
            Life("carrier"),
            lambda: self._tasks.add(self.loop.create_task(self.carrier.server.stop(1.0))),
        )


def run(schedule: Schedule) -> Ran:
    """One world of its own for this schedule."""
    loop = VirtualLoop()
    vault = NumberVault(NumberKeys(bytes(64)))
    with _quiet(), virtual_time(loop, Random(0)), _pauses():
        try:
            world = World(loop, vault)
            loop.run_until_complete(world.run(schedule))
        finally:
            loop.close()
            for task in asyncio.all_tasks(loop):
                task.get_coro().close()
    return Ran(
        world.judge.faults,
        world.digest,
        len(world.store.message.rows),
        sum(world.carrier.accepted.values()),
        loop.time(),
    )


@contextmanager
def _pauses() -> Iterator[None]:
    with ExitStack() as stack:
        for name, seconds in _PAUSES.items():
            stack.enter_context(patch(f"dispatch.outbox.refill.{name}", seconds))
        yield


@contextmanager
def _quiet() -> Iterator[None]:
    """What is logged of faults that were asked for helps nobody."""
    before = structlog.get_config()
    disabled = logging.root.manager.disable
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(disabled)
        structlog.configure(**before)
