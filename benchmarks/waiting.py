"""A backlog of known size before a connector with a pace: how it is filled, kept and paid for.

Owns loading messages until so many wait, keeping their number while the connector sends, and what a
message costs meanwhile, level by level. Must not start anything nor judge.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from collections.abc import Mapping

from benchmarks import gateways
from benchmarks.gateways import BenchmarkFailed, Processors
from benchmarks.result import Figures
from benchmarks.running import say
from benchmarks.verdicts import Verdict
from gateway.rehearsal.running import Running

BATCH_MESSAGES = 1_000
BATCHES_AT_ONCE = 4
TOP_UP_SECONDS = 0.25
PROGRESS_MESSAGES = 100_000
INTERVALS = 3
MIB_REQUIRED, MIB_AIM = 300.0, 150.0
GROWTH_REQUIRED, GROWTH_AIM = 1.2, 1.05


class Backlog:
    """Marketing messages of one application, counted as they are accepted and written."""

    def __init__(self, running: Running, *, written_before: int = 0) -> None:
        """`written_before` messages of the gateway are none of these."""
        self._running = running
        self._written_before = written_before
        self.accepted = 0
        self.load_seconds = 0.0

    async def waiting(self) -> int:
        """Accepted, and not yet written to the carrier."""
        submitted, _ = await self._running.submitted()
        return self.accepted + self._written_before - int(submitted)

    async def fill(self, level: int) -> None:
        """Send until about so many wait: the connector takes away from it meanwhile."""
        began = time.perf_counter()
        while (missing := level - await self.waiting()) > level // 10:
            if missing > PROGRESS_MESSAGES:
                missing = PROGRESS_MESSAGES
                say(f"loading: {self.accepted} accepted in {time.perf_counter() - began:.0f} s")
            await self._send(missing)
        self.load_seconds += time.perf_counter() - began

    async def keep(self, level: int, seconds: float, processors: Processors) -> Figures:
        """Hold the level for so many seconds, one in for one out.

        Returns processor microseconds for each message that went through.
        """
        until = time.perf_counter() + seconds
        submitted, _ = await self._running.submitted()
        before, messages = processors.used(), 0.0
        while not messages or time.perf_counter() < until:
            if time.perf_counter() > until + gateways.STALL_SECONDS_MAX:
                raise BenchmarkFailed("nothing is sent while the backlog is held")
            await asyncio.sleep(TOP_UP_SECONDS)
            await self._send(level - await self.waiting())
            messages = (await self._running.submitted())[0] - submitted
        now = processors.used()
        return {
            f"{name}_us": round((now[name] - before[name]) / messages * 1e6, 1)
            for name in now
            if name != "load"
        }

    async def _send(self, count: int) -> None:
        firsts = iter(range(self.accepted, self.accepted + count, BATCH_MESSAGES))
        end, taken = self.accepted + count, 0

        async def worker() -> None:
            nonlocal taken
            for first in firsts:
                bodies = gateways.messages(
                    min(BATCH_MESSAGES, end - first), first, category="marketing"
                )
                items = await self._running.send(bodies)
                taken += sum("id" in item for item in items)

        await asyncio.gather(*(worker() for _ in range(BATCHES_AT_ONCE)))
        self.accepted = end
        if taken != count:
            raise BenchmarkFailed(f"{taken} of {count} marketing messages were accepted")


async def climb(
    running: Running, backlog: Backlog, most: int, seconds: float
) -> dict[int, Figures]:
    """The cost of a message and the gateway's memory at each level, and how fast it was filled."""
    processors = Processors(gateways.processes_of(running))
    found: dict[int, Figures] = {}
    for level in levels(most):
        accepted, loading = backlog.accepted, backlog.load_seconds
        await backlog.fill(level)
        filled = (backlog.accepted - accepted) / (backlog.load_seconds - loading)
        # The first interval is not counted: what the loading left to PostgreSQL is in it.
        several = [await backlog.keep(level, seconds, processors) for _ in range(INTERVALS + 1)][1:]
        found[level] = {
            "filled_per_second": round(filled),
            **{name: statistics.median(each[name] for each in several) for name in several[0]},
            "gateway_mib": gateways.resident_mib(running),
        }
        say(f"{level} wait: {found[level]}")
    return found


def cost_verdict(found: Mapping[int, Figures]) -> Verdict:
    """Of a message at the highest level, over that at the lowest."""
    few, many = min(found), max(found)
    cost = {
        level: sum(each for name, each in found[level].items() if name.endswith("_us"))
        for level in (few, many)
    }
    return Verdict(
        f"cost of a message, {many} waiting over {few}",
        round(cost[many] / cost[few], 3),
        GROWTH_REQUIRED,
        GROWTH_AIM,
        at_most=True,
    )


def memory_verdict(found: Mapping[int, Figures]) -> Verdict:
    """Of the gateway at the highest level."""
    many = max(found)
    return Verdict(
        f"resident memory of the gateway, {many} wait",
        found[many]["gateway_mib"],
        MIB_REQUIRED,
        MIB_AIM,
        at_most=True,
        unit="MiB",
    )


def levels(most: int) -> list[int]:
    """1 000 and each power of ten up to this."""
    powers = itertools.takewhile(lambda level: level < most, (10**n for n in itertools.count(3)))
    return [*powers, most]
