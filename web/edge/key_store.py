"""API keys as requests look them up: found by their hash, with the time of their last use.

Owns the times of use that are not yet stored. Must not make or end a key (keys.py).

One statement a minute stores them, however many requests come. A working key is looked up every few
seconds, and only a look-up is noted.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import asyncpg

from storage import sql
from storage.faults import UNAVAILABLE, StorageDown, is_transient
from storage.pool import Connection
from web.edge.keys import StoredKey

USES_WAITING_MAX = 10_000  # keys; what does not fit is noted at a later look-up

_SQL = sql.load("web")


class DatabaseKeys:
    """The KeyStore over PostgreSQL."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], wall_ms: Callable[[], int]) -> None:
        self._pool = pool
        self._wall_ms = wall_ms
        self._used: dict[int, datetime] = {}

    async def find(self, key_hash: bytes) -> StoredKey | None:
        """The key with this SHA-256, also one that has ended. Raises StorageDown."""
        try:
            row = await self._pool.fetchrow(_SQL["key_find"], key_hash)
        except UNAVAILABLE as error:
            if not is_transient(error):
                raise
            raise StorageDown() from error
        if row is None:
            return None
        lasts = row["lasts_seconds"]
        ended = "revoked" if row["revoked"] else None
        if ended is None and lasts is not None and lasts <= 0:
            ended = "expired"
        if ended is None:
            self._note(row["id"])
        return StoredKey(row["id"], row["account"], frozenset(row["scopes"]), lasts, ended)

    async def store_uses(self, connection: Connection) -> None:
        """Store the uses noted since the last time. What cannot be stored waits for the next."""
        if not self._used:
            return
        used = dict(self._used)
        await connection.execute(_SQL["keys_used"], list(used), list(used.values()))
        self._used = {key: at for key, at in self._used.items() if used.get(key) != at}

    def _note(self, key_id: int) -> None:
        if key_id in self._used or len(self._used) < USES_WAITING_MAX:
            self._used[key_id] = datetime.fromtimestamp(self._wall_ms() / 1000, UTC)
