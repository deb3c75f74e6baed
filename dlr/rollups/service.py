"""The rollups of one process: merger, recounter and cohorts, each in a task, on one connection.

Owns that connection and how often each takes a turn. Must not count.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from dlr.cohorts import Cohorts
from dlr.rollups.merger import LEFT_ALONE, Merger
from dlr.rollups.outcomes import Outcomes
from dlr.rollups.recounter import Recounter
from storage.periodic import Ended, PeriodicTask
from storage.pool import Dedicated

LEFT_ALONE_SECONDS = LEFT_ALONE.total_seconds()  # never below naming.LATE_SECONDS
MERGE_SECONDS = 5.0
RECOUNT_SECONDS = 60.0
COHORT_SECONDS = 60.0


class Rollups:
    """Every process has them; one merges at a time."""

    def __init__(
        self,
        dedicated: Dedicated,
        *,
        rests: Callable[[], bool],
        wall_ms: Callable[[], int],
        monotonic: Callable[[], float],
        outcomes: Outcomes | None,
        ended: Ended,
    ) -> None:
        """`rests`: whether the database has more urgent work. `outcomes` as of Merger. `ended` is
        told when a task has ended by itself.
        """
        self.merger = Merger(
            left_alone=timedelta(seconds=LEFT_ALONE_SECONDS),
            rests=rests,
            monotonic=monotonic,
            outcomes=outcomes,
        )
        self.recounter = Recounter()
        self.cohorts = Cohorts()
        self._dedicated = dedicated
        self._rests = rests
        self._wall_ms = wall_ms
        self._turn = asyncio.Lock()
        self._tasks = [
            PeriodicTask("rollups", self._merge, lambda: MERGE_SECONDS, ended=ended),
            PeriodicTask(
                "rollup recount", self._recount, lambda: RECOUNT_SECONDS, ended=ended,
                pause_first=True,
            ),
            PeriodicTask("cohorts", self._cohorts, lambda: COHORT_SECONDS, ended=ended),
        ]  # fmt: skip

    def start(self) -> None:
        """Start its tasks."""
        for task in self._tasks:
            task.start()

    async def stop(self) -> None:
        """End, in the middle of a merge if there is one; the next process does it again."""
        await asyncio.gather(*(task.stop() for task in self._tasks))

    async def _merge(self) -> None:
        async with self._turn, self._dedicated.guarded() as connection:
            await self.merger.turn(connection)

    async def _cohorts(self) -> None:
        async with self._turn, self._dedicated.guarded() as connection:
            await self.cohorts.read(connection, self._now())

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._wall_ms() / 1000, UTC)

    async def _recount(self) -> None:
        if self._rests():
            return
        async with self._turn, self._dedicated.guarded() as connection:
            await self.recounter.turn(connection, self._now())
