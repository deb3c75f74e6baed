"""What waits, in figures: how much, since when and for what.

Owns the reading of them for the API. Must not be asked on the way of a message: it reads all outbox
rows of one account.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import asyncpg
import msgspec

from dispatch.holds import Hold
from storage import sql
from storage.categories import Category
from storage.ids import time_of
from storage.names import Registry
from storage.reading import ReportTooSlow, reading

_SQL = sql.load("messages")


class QueueKind(msgspec.Struct, kw_only=True):
    """What waits of one category for one connector, in memory and in the outbox."""

    connector: str | None
    category: str
    messages: int
    parts: int
    in_memory: int  # messages about to go, in any process
    oldest_seconds: float | None  # of those that wait for nothing but their turn


class QueueView(msgspec.Struct):
    """All that waits of an account; `held` counts messages by the rule they wait for."""

    data: Sequence[QueueKind]
    held: Mapping[str, int]
    next_cursor: str | None = None


class Queues:
    """Implements QueueReader."""

    def __init__(
        self,
        pool: asyncpg.Pool[asyncpg.Record],
        registry: Registry,
        wall_ms: Callable[[], int],
    ) -> None:
        self._pool = pool
        self._registry = registry
        self._wall_ms = wall_ms

    async def queue(self, account: int) -> QueueView:
        try:
            async with (
                reading(self._pool) as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                rows = await connection.fetch(_SQL["queue_depth"], account)
                held = await connection.fetch(_SQL["queue_held"], account, Hold.PAUSED)
        except asyncpg.QueryCanceledError as error:
            raise ReportTooSlow(str(error)) from error
        counts = {Hold(row["hold"]).rule: row["messages"] for row in held}
        return QueueView([self._kind(row) for row in rows], counts)

    def _kind(self, row: asyncpg.Record) -> QueueKind:
        now = datetime.fromtimestamp(self._wall_ms() / 1000, UTC)
        oldest = row["oldest"]
        age = None if oldest is None else max(0.0, (now - time_of(oldest)).total_seconds())
        return QueueKind(
            connector=self._registry.connector_name(row["connector"]),
            category=Category(row["category"]).label,
            messages=row["messages"],
            parts=row["parts"],
            in_memory=row["in_memory"],
            oldest_seconds=age,
        )
