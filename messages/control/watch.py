"""What every process has to know of batches, asked for again and again.

Owns two loops. One learns which batches are stopped or have a rate, the other ends what canceled
ones left. Must not change a batch (batches.py). Each step is bounded, and another process goes on
with what a dead one left.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from itertools import count
from operator import itemgetter

import asyncpg

from dispatch.outbox.without_wire import end_ways, row_without_wire, ways_and_messages
from dispatch.queue.batch_pace import BatchPace, LiveBatch
from dlr.changed import rows_changed
from dlr.ledger import SubmissionRow, insert_submissions
from dlr.status import Status, stopped
from messages.batch_states import BatchState
from ratelimit.spec import parse_rate
from storage import sql
from storage.categories import Category
from storage.ids import IdSource
from storage.periodic import Ended, PeriodicTask
from storage.pool import Dedicated

_SQL = sql.load("messages")
WATCH_SECONDS = 0.25
SWEEP_ROWS_MAX = 500
SELDOM = 20  # looks: whether known batches have messages waiting, and the backlog's age


class BatchWatch:
    """What this process knows of batches, and its part in ending canceled ones."""

    def __init__(
        self,
        watching: Dedicated,
        sweeping: Dedicated,
        batches: BatchPace,
        *,
        connectors: Collection[int],
        ids: IdSource,
        monotonic_ns: Callable[[], int],
        resumed: Callable[[], None],
        ended: Ended,
    ) -> None:
        """`resumed` is told when claims need no longer step over a batch.

        `ended` is told when a loop has ended by itself, which it should not.
        """
        self._watching = watching
        self._sweeping = sweeping
        self._batches = batches
        self._connectors = connectors
        self._ids = ids
        self._monotonic_ns = monotonic_ns
        self._resumed = resumed
        self._canceled: dict[int, int] = {}  # id -> until_id
        self._looks = count()
        self._more_to_sweep = False
        self._watching_task = PeriodicTask(
            "batch watch", self._watch, lambda: WATCH_SECONDS, ended=ended
        )
        self._sweeping_task = PeriodicTask(
            "batch sweep",
            self._sweep,
            lambda: 0 if self._more_to_sweep else WATCH_SECONDS,
            ended=ended,
        )
        self.swept = 0
        self.oldest: dict[tuple[int, int], int] = {}  # connector, category -> message, lately

    def look(self) -> None:
        """Something was changed here: learn it now."""
        self._watching_task.wake()

    def start(self) -> None:
        """Start both loops."""
        self._watching_task.start()
        self._sweeping_task.start()

    async def stop(self) -> None:
        """Stop both loops."""
        await self._watching_task.stop()
        await self._sweeping_task.stop()

    async def learn(self) -> None:
        """Ask the database once."""
        connection = await self._watching.connection()
        rows = await connection.fetch(_SQL["batches_known"])
        before = set(self._batches.stepped_over)
        self._batches.learn(
            [
                LiveBatch(
                    row["id"],
                    row["until_id"],
                    stopped=row["state"] != BatchState.ACTIVE,
                    rate=None if row["rate"] is None else parse_rate(row["rate"]),
                )
                for row in rows
            ],
            self._monotonic_ns(),
        )
        self._canceled = {
            row["id"]: row["until_id"] for row in rows if row["state"] == BatchState.CANCELED
        }
        if before.difference(self._batches.stepped_over):
            self._resumed()

    async def sweep(self) -> bool:
        """End a slice of each canceled batch. Returns whether there may be more."""
        more = False
        for batch, until_id in self._canceled.items():
            ended = await self._sweep_slice(batch, until_id)
            self.swept += ended
            more = more or ended == SWEEP_ROWS_MAX
        return more

    async def _watch(self) -> None:
        look = next(self._looks)
        await self.learn()
        if look % SELDOM == 0:
            await self._look_around()

    async def _look_around(self) -> None:
        connection = await self._watching.connection()
        if self._batches:
            await connection.execute(_SQL["batch_forget"], list(self._batches.stepped_over))
        await connection.execute(_SQL["forget_canceled"])
        connectors = [connector for connector in self._connectors for _ in Category]
        categories = [int(each) for _ in self._connectors for each in Category]
        rows = await connection.fetch(_SQL["backlog_oldest"], connectors, categories)
        self.oldest = {(row["connector"], row["category"]): row["id"] for row in rows}

    async def _sweep(self) -> None:
        self._more_to_sweep = False
        self._more_to_sweep = await self.sweep()

    async def _sweep_slice(self, batch: int, until_id: int) -> int:
        async with self._sweeping.transaction() as connection:
            if await connection.fetchval(_SQL["batch_lock"], batch) is None:
                return 0  # another process is at it
            rows = await connection.fetch(
                _SQL["batch_sweep"], batch, batch, until_id, SWEEP_ROWS_MAX
            )
            ways, others = ways_and_messages(rows, itemgetter("begun"))
            ended = [self._ended(row) for row in others]
            await insert_submissions(connection, ended)
            await rows_changed(connection, ended, self._ids)
            await end_ways(connection, ways, Status.CANCELED.label, self._ids)
        return len(rows)

    def _ended(self, outbox: asyncpg.Record) -> SubmissionRow:
        """What waited to be sent again, or for its other parts, is not simply canceled."""
        status = stopped(Status.CANCELED, in_doubt=outbox["in_doubt"], begun=outbox["begun"])
        error = None if status is Status.CANCELED else "its batch was canceled"
        return row_without_wire(outbox, self._ids, status, error=error)
