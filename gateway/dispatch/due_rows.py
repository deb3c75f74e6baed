"""One claim of messages whose time has come.

Owns which of them are taken: of each category as many as it has room for; what is released goes at
its account's rate, as what was accepted did; and what belongs to a batch that is stopped or has a
rate of its own is only freed of its moment, since it goes when its batch lets it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import asyncpg

from gateway.dispatch.batch_pace import BatchPace
from gateway.dispatch.holds import Hold
from storage import sql
from storage.pool import Connection

_SQL = sql.load(__package__)
# Not counted by their account's rate when they were accepted.
RELEASED = frozenset({Hold.SCHEDULED, Hold.SEND_WINDOW, Hold.QUIET_HOURS, Hold.FREQUENCY_GAP})

# account, category, parts, now in ns -> in how many ns what is released may go.
ReleasePace = Callable[[int, int, int, int], int]


def goes_at_once(_account: int, _category: int, _parts: int, _now_ns: int) -> int:
    """No account has a rate."""
    return 0


class DueRows:
    """What a claim may look for: `rooms` are rows by category."""

    def __init__(
        self,
        connector: int,
        rooms: Mapping[int, int],
        *,
        batches: BatchPace,
        pace: ReleasePace,
        now_ns: int,
    ) -> None:
        self._connector = connector
        self._rooms = {category: room for category, room in rooms.items() if room > 0}
        self._batches = batches
        self._pace = pace
        self._now_ns = now_ns
        self.moved = False  # rows were put elsewhere: behind them may be others

    async def find(self, database: Connection) -> Sequence[asyncpg.Record]:
        """Those to be claimed, locked."""
        if not self._rooms:
            return ()
        found = await database.fetch(
            _SQL["outbox_due"], self._connector, list(self._rooms), list(self._rooms.values())
        )
        if found and self._batches:
            found = await self._without_batches(database, found)
        return await self._turns(database, found)

    async def _without_batches(
        self, database: Connection, found: list[asyncpg.Record]
    ) -> list[asyncpg.Record]:
        freed = [row["id"] for row in found if row["batch_id"] in self._batches]
        if not freed:
            return found
        await database.execute(_SQL["outbox_no_moment"], freed)
        self.moved = True
        return [row for row in found if row["batch_id"] not in self._batches]

    async def _turns(
        self, database: Connection, found: list[asyncpg.Record]
    ) -> list[asyncpg.Record]:
        """Those whose turn it is at their account's rate; the others wait on."""
        later: dict[int, int] = {}
        for row in found:
            if row["hold"] in RELEASED:
                wait_ns = self._pace(row["account"], row["category"], row["parts"], self._now_ns)
                if wait_ns:
                    later[row["id"]] = wait_ns // 1000
        if not later:
            return found
        await database.execute(
            _SQL["outbox_pace"], list(later), list(later.values()), Hold.ACCOUNT_RATE
        )
        self.moved = True
        return [row for row in found if row["id"] not in later]
