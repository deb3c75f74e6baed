"""Sums of events by contact, kept by a cursor: engagement, and the hours of a contact's day.

Owns one transaction at a time, of one process at a time. What is counted and the cursor are
committed together: killed before its COMMIT it has done nothing. Must not write an event.

Positions are given to events while a gate is held that many share. Who holds it alone for a moment
knows that every event up to the last position is committed. So none is passed over.
"""

from __future__ import annotations

import asyncio

from storage import sql
from storage.periodic import Ended, PeriodicTask
from storage.pool import Connection, Dedicated

EVENTS_PER_STEP_MAX = 20_000
STEPS_PER_TURN_MAX = 50
FOLD_SECONDS = 2.0

_SQL = sql.load("campaigns")


class Folding:
    """One process's turns at it."""

    def __init__(self, dedicated: Dedicated, *, zone: str, ended: Ended) -> None:
        """`zone`: of contacts that have none."""
        self._dedicated = dedicated
        self._zone = zone
        self._zones: list[str] | None = None
        self._task = PeriodicTask("engagement", self.turn, lambda: FOLD_SECONDS, ended=ended)
        self.events = 0  # summed since start
        self.waiting = 0  # when last looked

    def start(self) -> None:
        """Sum from now on."""
        self._task.start()

    async def stop(self) -> None:
        """Stop; any process goes on."""
        await self._task.stop()

    async def turn(self) -> None:
        """Sum what there is, in bounded steps."""
        async with self._dedicated.guarded() as connection:
            until = await self._until(connection)
            for _ in range(STEPS_PER_TURN_MAX):
                cursor = await self.step(connection, until)
                self.waiting = max(0, until - cursor)
                if not self.waiting:
                    return
                await asyncio.sleep(0)

    async def step(self, connection: Connection, until: int) -> int:
        """One transaction, up to a position at most. Returns the cursor after it."""
        if self._zones is None:
            self._zones = await known_zones(connection)
        async with connection.transaction():
            cursor: int = await connection.fetchval(_SQL["engagement_hold"])
            upto = min(until, cursor + EVENTS_PER_STEP_MAX)
            if upto <= cursor:
                return cursor
            counted = await connection.fetchval(
                _SQL["engagement_fold"], cursor, upto, self._zones, self._zone
            )
            await connection.execute(_SQL["engagement_move"], upto)
        self.events += counted
        return upto

    async def _until(self, connection: Connection) -> int:
        await connection.execute(_SQL["events_gate"])
        try:
            last: int = await connection.fetchval(_SQL["events_last"])
        finally:
            await connection.execute(_SQL["events_gate_open"])
        return last


async def known_zones(connection: Connection) -> list[str]:
    """The names of time zones that the database knows."""
    return [row["name"] for row in await connection.fetch(_SQL["zones_known"])]
