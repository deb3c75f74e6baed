"""Which accounts have caps by group, as this process knows it.

Owns that memory: a number for each such account. Must not hold a cap. Without it every message of
marketing would cost a question more.

A change is known here at once, and in other processes at their next look.
"""

from __future__ import annotations

from storage import sql
from storage.periodic import Ended, PeriodicTask
from storage.pool import Connection, Dedicated

_SQL = sql.load("campaigns")
LOOK_SECONDS = 2.0


class CappedAccounts:
    """Those that have some."""

    def __init__(self, dedicated: Dedicated, ended: Ended) -> None:
        self._dedicated = dedicated
        self.known: frozenset[int] = frozenset()
        self._task = PeriodicTask("caps look", self.turn, lambda: LOOK_SECONDS, ended=ended)

    def start(self) -> None:
        """Look from now on."""
        self._task.start()

    async def stop(self) -> None:
        """Stop."""
        await self._task.stop()

    def add(self, account: int) -> None:
        """It may have some now."""
        self.known |= {account}

    async def turn(self) -> None:
        """Look."""
        async with self._dedicated.guarded() as connection:
            await self.read(connection)

    async def read(self, connection: Connection) -> None:
        """Look over this connection."""
        rows = await connection.fetch(_SQL["group_cap_accounts"])
        self.known = frozenset(row["account"] for row in rows)
