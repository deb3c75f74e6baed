"""Texts that go before their rows do: a pass over those that are due, again and again.

Owns the pass and its cursor. Must not know a table nor when a row is settled: both are handed in. A
process that dies begins its pass anew; what is emptied is not found again.

Texts kept for so many days are looked through apart from those kept for others. So a row that is
not due yet is never read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from storage.ids import id_at
from storage.pool import Connection

ROWS_PER_BATCH = 1_000
BATCHES_PER_TURN_MAX = 10
REST_SECONDS = 20.0  # after a pass, of which most rows may have to wait for an outcome

Settled = Callable[[Connection, Sequence[int]], Awaitable[Sequence[int]]]


class Statements(NamedTuple):
    """On one table. `days`: the least number of days above $1 that a text has.

    `due`: ids of texts kept for $1 days above id $2 and below id $3, $4 of them, in order. `empty`:
    the texts of $1, of which the lowest and the highest id are $2 and $3.
    """

    days: str
    due: str
    empty: str


class TextEnds:
    """The pass over one table. `emptied` is counted since start."""

    def __init__(
        self,
        statements: Statements,
        settled: Settled,
        *,
        age_min: timedelta = timedelta(0),
        rows_per_batch: int = ROWS_PER_BATCH,
    ) -> None:
        """`settled` tells which rows need their text no more. `age_min` holds whatever the days."""
        self._statements = statements
        self._settled = settled
        self._age_min = age_min
        self._rows_per_batch = rows_per_batch
        self._days: int | None = None
        self._after = 0
        self._rests_until: datetime | None = None
        self.emptied = 0

    async def turn(self, connection: Connection, now: datetime) -> None:
        """Go on with the pass for a bounded number of batches. Between passes it rests."""
        if self._rests_until is not None and now < self._rests_until:
            return
        self._rests_until = None
        for _ in range(BATCHES_PER_TURN_MAX):
            if not await self._step(connection, now):
                self._rests_until = now + timedelta(seconds=REST_SECONDS)
                return

    async def _step(self, connection: Connection, now: datetime) -> bool:
        """One batch, or the next number of days. Returns whether the pass goes on."""
        if self._days is not None:
            before = id_at(now - max(timedelta(days=self._days), self._age_min))
            rows = await connection.fetch(
                self._statements.due, self._days, self._after, before, self._rows_per_batch
            )
            if rows:
                await self._empty(connection, [row["id"] for row in rows])
                self._after = rows[-1]["id"]
                return True
        last = -1 if self._days is None else self._days
        self._days = await connection.fetchval(self._statements.days, last)
        self._after = 0
        return self._days is not None

    async def _empty(self, connection: Connection, ids: Sequence[int]) -> None:
        async with connection.transaction():
            gone = sorted(await self._settled(connection, ids))
            if gone:
                await connection.execute(self._statements.empty, gone, gone[0], gone[-1])
        self.emptied += len(gone)
