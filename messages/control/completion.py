"""Batches of which every message has ended, told to webhooks.

Owns that look, done now and then while somebody wants to hear, by one process at a time. A batch
that takes longer than REACH is not told: by then the event that says it was told may be gone. Must
not end messages, nor decide what has ended (dlr/status.py).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import asyncpg

from dlr.report import batch_counts
from dlr.status import Status
from dlr.webhooks.changes import happened, tell
from storage import sql
from storage.ids import IdSource, format_id, id_at
from storage.periodic import Ended, PeriodicTask
from storage.pool import Connection, Dedicated

_SQL = sql.load("messages")
KIND = "batch.completed"
LOOK_SECONDS = 10.0
REACH = timedelta(days=6)  # events are kept for 7 at least
ACCEPTED_WITHIN = timedelta(seconds=60)  # a large batch is stored in several commits
BATCHES_PER_LOOK_MAX = 200


class BatchCompletion:
    """One process's looks."""

    def __init__(
        self,
        dedicated: Dedicated,
        *,
        wanted: Callable[[], bool],
        ids: IdSource,
        wall_ms: Callable[[], int],
        ended: Ended,
    ) -> None:
        """`wanted`: whether anybody may want to hear."""
        self._dedicated = dedicated
        self._wanted = wanted
        self._ids = ids
        self._wall_ms = wall_ms
        self._cursor = 0
        self._task = PeriodicTask("batch completion", self.look, lambda: LOOK_SECONDS, ended=ended)

    def start(self) -> None:
        """Begin."""
        self._task.start()

    async def stop(self) -> None:
        """End."""
        await self._task.stop()

    async def look(self) -> int:
        """Tell those that have ended since; how many. Goes on behind the last one next time."""
        if not self._wanted():
            return 0
        now = datetime.fromtimestamp(self._wall_ms() / 1000, UTC)
        async with self._dedicated.transaction() as connection:
            if not await connection.fetchval(_SQL["completion_alone"]):
                return 0
            first = max(self._cursor, id_at(now - REACH))
            end = id_at(now - ACCEPTED_WITHIN)
            open_ones = await connection.fetch(
                _SQL["batches_untold"], first, end, KIND, BATCHES_PER_LOOK_MAX
            )
            full = len(open_ones) == BATCHES_PER_LOOK_MAX
            self._cursor = open_ones[-1]["id"] if full else 0
            told = 0
            for batch in open_ones:
                told += await self._tell_if_ended(connection, batch, now)
        return told

    async def _tell_if_ended(
        self, connection: Connection, batch: asyncpg.Record, now: datetime
    ) -> bool:
        ended = await connection.fetchval(
            _SQL["batch_ended"], batch["id"], batch["until_id"], Status.SENT, Status.UNCONFIRMED
        )
        if not ended:
            return False
        counts = await batch_counts(connection, batch["account"], batch["id"], batch["until_id"])
        data = {"id": format_id("bat", batch["id"]), "counts": counts}
        event = happened(KIND, batch["account"], now, data, subject=batch["id"])
        await tell(connection, [event], self._ids)
        return True
