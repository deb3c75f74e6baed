"""Retention: how long each table is kept. Whole days are dropped.

Owns the first day that is kept of each table, and that one process at a time drops. Must not decide
how a day is dropped (storage/partitions.py).

A message goes before its results. Neither goes while it or an older message waits. So whatever is
still there has all that says what became of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta

import msgspec
import structlog

from storage import sql
from storage.ids import time_of
from storage.partitions import drop_partitions, id_bounds, oldest_day
from storage.pool import Connection

_SQL = sql.load("storage")
_log = structlog.get_logger(__name__)

DAYS_PER_TURN_MAX = 10  # of each table, so that other work does not wait for a first clearing
OF_MESSAGES = ("message", "submission", "event")  # in this order


class KeptDays(msgspec.Struct, frozen=True, kw_only=True):
    """The days after which whole days are dropped; 0: never."""

    messages: int
    clicks: int
    inbound: int
    raw: int
    webhooks: int


ForgetBatches = Callable[[Connection, int], Awaitable[int]]


class Retention:
    """Takes turns. A turn that is cut short is finished by the next, of any process."""

    def __init__(
        self, kept: KeptDays, wall_ms: Callable[[], int], *, forget_batches: ForgetBatches
    ) -> None:
        """`forget_batches` deletes batches whose messages all have ids below one given, and are
        gone.

        It returns how many.
        """
        self.kept = kept
        self._forget_batches = forget_batches
        self._wall_ms = wall_ms
        self.days_dropped = 0
        self.batches_forgotten = 0

    async def turn(self, connection: Connection) -> None:
        """Drop what is due, unless another process is at it. Must not run inside a transaction."""
        if not await connection.fetchval(_SQL["retention_try"]):
            return
        try:
            await self._drop(connection)
        finally:
            await connection.execute(_SQL["retention_done"])

    async def _drop(self, connection: Connection) -> None:
        kept = self.kept
        row = await connection.fetchrow(_SQL["oldest_waiting"])
        assert row is not None
        # The earlier of two clocks: one that has jumped ahead must not cost a year of data.
        own = datetime.fromtimestamp(self._wall_ms() / 1000, UTC)
        today = min(own, row["now"]).date()
        if kept.messages:
            await self._drop_messages(connection, today, row["id"])
        for table, days in (
            ("click", kept.clicks),
            ("inbound_message", kept.inbound),
            ("raw_delivery", kept.raw),
            ("webhook_event", kept.webhooks),
            ("webhook_attempt", kept.webhooks),
        ):
            if days:
                before = await _bounded(connection, table, today - timedelta(days=days))
                await self._drop_days(connection, table, before)

    async def _drop_messages(
        self, connection: Connection, today: date, oldest_waiting: int | None
    ) -> None:
        before = today - timedelta(days=self.kept.messages)
        if oldest_waiting is not None and (waits := time_of(oldest_waiting).date()) < before:
            _log.warning("retention_waits", wanted=str(before), message_waits_of=str(waits))
            before = waits
        before = await _bounded(connection, OF_MESSAGES[0], before)
        for table in OF_MESSAGES:
            await self._drop_days(connection, table, before)
        first_kept, _ = id_bounds(before)
        self.batches_forgotten += await self._forget_batches(connection, first_kept)

    async def _drop_days(self, connection: Connection, table: str, before: date) -> None:
        dropped = await drop_partitions(connection, table, before)
        if dropped:
            self.days_dropped += len(dropped)
            _log.info("days_dropped", table=table, first=dropped[0], last=dropped[-1])


async def _bounded(connection: Connection, table: str, before: date) -> date:
    """`before`, or fewer days: as many as one turn drops."""
    oldest = await oldest_day(connection, table)
    return before if oldest is None else min(before, oldest + timedelta(days=DAYS_PER_TURN_MAX))
