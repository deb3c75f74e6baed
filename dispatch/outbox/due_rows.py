"""One claim of messages whose time has come: retries, releases and paced messages.

Owns which of them are taken: as many of each category as it has room for. Must not change who owns
a row (claims.py).

A released message goes at the rates of its account, sender, route and recipient, as at accept. A
message of a batch that is stopped or paced is not taken. Only its moment is removed, since it goes
when its batch lets it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import asyncpg

from dispatch.holds import BOOKED, FREED_BY_HAND, Hold
from dispatch.message import Released
from dispatch.queue.batch_pace import BatchPace
from storage import sql
from storage.crypto import NumberVault
from storage.pool import Connection

_SQL = sql.load("dispatch")
# Messages that no rate counted when they were accepted.
RELEASED = frozenset(
    {
        Hold.SCHEDULED,
        Hold.SEND_WINDOW,
        Hold.QUIET_HOURS,
        Hold.FREQUENCY_GAP,
        Hold.RATE,
        Hold.WISHED_DAY,
    }
)


class ReleasePace(Protocol):
    """The rate limits, which accept asks too."""

    @property
    def active(self) -> bool:
        """Whether there is any limit."""

    @property
    def since(self) -> int:
        """Messages with smaller ids have not been counted by all limits."""

    def released_wait_ns(self, message: Released, now_ns: int) -> tuple[int, Hold]:
        """(ns until it may go, the rule that decides). Negative: not before a stop is lifted."""


class NoRates:
    """A ReleasePace without limits."""

    active = False
    since = 0

    def released_wait_ns(self, message: Released, now_ns: int) -> tuple[int, Hold]:
        """Never asked, since `active` is False."""
        return 0, Hold.NONE


class DueRows:
    """What a claim may look for. `rooms`: category -> rows that fit."""

    def __init__(
        self,
        connector: int,
        rooms: Mapping[int, int],
        *,
        batches: BatchPace,
        pace: ReleasePace,
        vault: NumberVault,
        now_ns: int,
    ) -> None:
        self._connector = connector
        self._rooms = {category: room for category, room in rooms.items() if room > 0}
        self._batches = batches
        self._pace = pace
        self._vault = vault
        self._now_ns = now_ns
        self.moved = False  # rows were put elsewhere: there may be more behind them

    async def find(self, database: Connection) -> Sequence[asyncpg.Record]:
        """The rows to be claimed, locked."""
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
        await database.execute(_SQL["outbox_no_moment"], freed, Hold.RATE)
        self.moved = True
        return [row for row in found if row["batch_id"] not in self._batches]

    async def _turns(
        self, database: Connection, found: list[asyncpg.Record]
    ) -> list[asyncpg.Record]:
        """Those that their rates let go now; the others get a later moment."""
        if not self._pace.active:
            return found
        since = self._pace.since
        released = {
            row["id"]: row
            for row in found
            if row["hold"] in RELEASED or (row["id"] < since and row["hold"] in BOOKED)
        }
        if not released:
            return found
        later: dict[int, tuple[int | None, int]] = {}
        ids = list(released)
        for message in await database.fetch(_SQL["messages_released"], ids, min(ids)):
            asking = self._released(released[message["id"]], message)
            if asking is None:
                continue  # whoever claims it ends it
            wait_ns, hold = self._pace.released_wait_ns(asking, self._now_ns)
            if wait_ns:
                later[message["id"]] = (wait_ns // 1000 if wait_ns > 0 else None, hold)
        if not later:
            return found
        waits, holds = zip(*later.values(), strict=True)
        await database.execute(_SQL["outbox_pace"], list(later), waits, holds, FREED_BY_HAND)
        self.moved = True
        return [row for row in found if row["id"] not in later]

    def _released(self, row: asyncpg.Record, message: asyncpg.Record) -> Released | None:
        to = self._vault.open_or_none(message["to_enc"])
        if to is None:
            return None
        return Released(
            id=row["id"],
            account=row["account"],
            category=row["category"],
            parts=row["parts"],
            sender=message["sender"],
            to=to,
            to_idx=self._vault.todays_index(to, message["to_idx"]),
            tags=tuple(message["tags"] or ()),
            hold=row["hold"],
        )
