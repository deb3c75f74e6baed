"""The whole gateway for half an hour at half of what it can, with faults: nothing grows or slows.

Owns that run: what is half, when a fault comes, and what is said at the end. Must not give a figure
of a run that lost, doubled or left anything.

The first third has every fault. After it none ends the gateway or the link server: a new process
has new memory. None sets the gateway's clock, since ids are the clock of latency. Flat is judged
over the last two thirds, of looks that no fault touches.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
import psutil

from benchmarks import gateways
from benchmarks.faults import SEED_BITS, acts
from benchmarks.faults.looks import CALM_SECONDS, Looking, by_minute, flat
from benchmarks.faults.rounds import AWAY
from benchmarks.faults.schedule import FAULTS, Fault, plan
from benchmarks.faults.steady import Steady
from benchmarks.faults.works import working
from benchmarks.faults.world import Shape, World, world
from benchmarks.gateways import BenchmarkFailed
from benchmarks.running import run as run_to_end
from benchmarks.running import say
from dlr.status import Status
from storage import sql
from storage.pool import close_connection, connect

_SQL = sql.load("benchmarks")
SHARE = 0.5  # of the capacity
FIRST_THIRD = 1 / 3
WARM_SHARE = 0.1  # of the burst, before it
SETTLE_SECONDS_MAX = 180.0
POLL_SECONDS = 0.5
SHAPE = Shape(
    carrier="""\
answer_latency_ms = [1, 10]
receipt_delay_ms = [0, 50]
receipt_timeout_seconds = 5
receipt_resend_seconds = 0.5
receipt_resends_max = 100000
receipt_window = 2000
scripted_destinations = false
directives = false
""",
    connector="""\
binds = 2
window = 500
rate = "50000/s"
enquire_link_seconds = 2
response_timeout_seconds = 5
reconnect_seconds_min = 0.1
reconnect_seconds_max = 1.0
""",
    rates=("50000/s", "40000/s"),
    webhook={"batch_max": 200, "batch_wait_ms": 200},
    recorded=False,
    postgresql_mib=0,
    links='memory = "4 MiB"\n',  # full within minutes: what is still being filled looks like a leak
)
# What a new process or another clock would hide, or spoil.
_ENDS_WHAT_IS_MEASURED = frozenset(
    {
        ("kill -9", "gateway"), ("kill -9", "link server"), ("restart", "gateway"),
        ("restart", "link server"), ("clock step", "gateway"),
    }
)  # fmt: skip


class Size(msgspec.Struct, frozen=True):
    """Seconds: of the run, between two faults, between two looks. `burst`: messages."""

    seconds: float
    fault_seconds: float
    look_seconds: float
    burst: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How long, and which faults in which order."""
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, help="default: a new one, which is printed")
    parser.add_argument("--burst", type=int, default=40_000, help="messages that tell the capacity")
    parser.add_argument("--fault-seconds", type=float, default=60.0, help="from fault to fault")
    parser.add_argument("--look-seconds", type=float, default=5.0, help="from look to look")


def run(arguments: argparse.Namespace) -> dict[str, object]:
    """A row for each minute, and whether each figure is flat."""
    seed = secrets.randbits(SEED_BITS) if arguments.seed is None else arguments.seed
    say(f"seed {seed}")
    size = Size(
        arguments.minutes * 60, arguments.fault_seconds, arguments.look_seconds, arguments.burst
    )
    with gateways.folder() as folder:
        return run_to_end(soak(folder, seed, size))


async def soak(folder: Path, seed: int, size: Size) -> dict[str, object]:
    """One run, in a folder of its own."""
    async with world(folder, shape=SHAPE) as found:
        steady = Steady(found)
        async with steady.reading():
            capacity = await _capacity(steady, size.burst)
            say(f"capacity {capacity:.0f} messages a second, of which {SHARE:.0%} are sent")
            run_of = _Run(found, steady, size)
            async with steady.at(capacity * SHARE):
                await run_of.faults_and_looks(seed)
            say(f"{steady.accepted} messages; waiting for what is under way")
            steady.read()
            return await run_of.result(seed, capacity)


async def _capacity(steady: Steady, burst: int) -> float:
    """Messages a second until the endpoint has heard how each ended."""
    await _told_after(steady, round(burst * WARM_SHARE))
    before, began = steady.accepted, time.monotonic()
    await _told_after(steady, burst)
    return (steady.accepted - before) / (time.monotonic() - began)


async def _told_after(steady: Steady, messages: int) -> None:
    await steady.burst(messages)
    moved, before = time.monotonic(), -1
    while steady.heard < steady.accepted:
        if steady.heard != before:
            moved, before = time.monotonic(), steady.heard
        elif time.monotonic() - moved > gateways.STALL_SECONDS_MAX:
            raise BenchmarkFailed(f"{steady.heard} of {steady.accepted} webhooks came")
        await asyncio.sleep(POLL_SECONDS / 10)


class _Run:
    def __init__(self, world: World, steady: Steady, size: Size) -> None:
        self._world = world
        self._steady = steady
        self._size = size
        self._looking = Looking(world)
        self._done: list[dict[str, object]] = []
        self._under_way = False
        self._calm_from = 0.0

    async def faults_and_looks(self, seed: int) -> None:
        """Until the time is over."""
        began = time.monotonic()
        async with working([self._looks(began)]):
            await self._faults(seed, began)

    async def result(self, seed: int, capacity: float) -> dict[str, object]:
        """Once everything has come to its end. Raises BenchmarkFailed with what was broken."""
        await self._settled()
        books = await self._books()
        ended = [line for each in self._world.services for line in each.ended_by_itself]
        if wrong := broken(books, ended):
            again = f"python -m benchmarks soak_faults --seed {seed}"
            raise BenchmarkFailed("; ".join([*wrong, f"once more: {again}"]))
        return {
            "seed": seed,
            "durable": "synchronous_commit=on, PostgreSQL over TCP",
            "capacity_per_second": round(capacity, 1),
            "books": books,
            "faults": self._done,
            "rounds": by_minute(self._looking.looks),
            "looks": msgspec.to_builtins(self._looking.looks),
            "verdicts": flat(self._looking.looks),
        }

    async def _faults(self, seed: int, began: float) -> None:
        planned = _planned(self._world, seed)
        number = 0
        while (at := time.monotonic() - began) < self._size.seconds:
            number += 1
            self._steady.must_go_on()
            await asyncio.sleep(max(0.0, number * self._size.fault_seconds - at))
            at = time.monotonic() - began
            if at >= self._size.seconds - self._size.fault_seconds / 2:
                break
            fault = next(planned)
            while at >= self._size.seconds * FIRST_THIRD and spoils(fault):
                fault = next(planned)
            say(f"{at:6.0f} s  {fault.name}, {fault.seconds} s")
            self._under_way = True
            await acts.do(self._world, fault)
            self._under_way, self._calm_from = False, time.monotonic() + CALM_SECONDS
            self._done.append({"at": round(at, 1), "fault": fault.name, "held": fault.seconds})
        await asyncio.sleep(max(0.0, self._size.seconds - (time.monotonic() - began)))

    async def _looks(self, began: float) -> None:
        before, before_at = self._steady.accepted, began
        while True:
            await asyncio.sleep(self._size.look_seconds)
            calm = not self._under_way and time.monotonic() >= self._calm_from
            now, accepted = time.monotonic(), self._steady.accepted
            rate = (accepted - before) / (now - before_at)
            before, before_at = accepted, now
            with contextlib.suppress(*AWAY, psutil.NoSuchProcess, AssertionError):
                await self._looking.look(now - began, accepted, rate, calm=calm)

    async def _settled(self) -> None:
        until = time.monotonic() + SETTLE_SECONDS_MAX
        while True:
            left = await self._ask("soak_left")
            if not any(left.values()):
                return
            if time.monotonic() > until:
                raise BenchmarkFailed(f"stuck {SETTLE_SECONDS_MAX:.0f} s after the load: {left}")
            await asyncio.sleep(POLL_SECONDS)

    async def _books(self) -> dict[str, int]:
        """The counts of all sides."""
        steady = self._steady
        steady.read()
        once = len(steady.submits) - steady.submits.count(0)
        books = {
            "accepted": steady.accepted,
            "lost": steady.accepted - once,
            "repeated": sum(steady.submits) - once,
            "told": steady.heard,
            "clicks": steady.clicks,
            **await self._ask("soak_books", int(Status.UNKNOWN)),
        }
        say(f"books: {books}")
        return books

    async def _ask(self, name: str, *arguments: object) -> dict[str, int]:
        connection = await connect(self._world.database_url, application_name="judge")
        try:
            row = await connection.fetchrow(_SQL[name], *arguments)
        finally:
            await close_connection(connection)
        assert row is not None  # a count has a row
        return dict(row)


def broken(books: Mapping[str, int], ended: Sequence[str]) -> list[str]:
    """The promises that did not hold. `ended`: programs that ended by themselves.

    A message is repeated as often as doubts explain it, at most.
    """
    found = [f"{books['lost']} messages are lost"] if books["lost"] else []
    if books["repeated"] > books["resent"]:
        found.append(f"{books['repeated']} were repeated, {books['resent']} in doubt")
    if books["messages"] != books["accepted"]:
        found.append(f"{books['messages']} are stored of {books['accepted']} accepted")
    if books["told"] < books["ended"]:
        found.append(f"{books['told']} webhooks came of {books['ended']}")
    return [*found, *ended]


def _planned(world: World, seed: int) -> Iterator[Fault]:
    """Those that can be done here."""
    if all(acts.why_not(world, Fault(*each, 0, 0)) for each in FAULTS):
        raise BenchmarkFailed("no fault can be done here")
    return (fault for fault in plan(seed) if not acts.why_not(world, fault))


def spoils(fault: Fault) -> bool:
    """Whether it would hide what is measured, or spoil it."""
    return (fault.kind, fault.target) in _ENDS_WHAT_IS_MEASURED
