"""A connection for what the API reads, with the errors that a reader can be given.

Owns that translation. Must not write.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from storage.faults import StorageDown, is_transient
from storage.pool import Connection


class ReportTooSlow(Exception):
    """The database gave up on a report: its span is too long."""


@asynccontextmanager
async def reading(pool: asyncpg.Pool[asyncpg.Record]) -> AsyncIterator[Connection]:
    """A reading connection. A database that is away becomes StorageDown."""
    try:
        async with pool.acquire() as connection:
            yield connection  # type: ignore[misc]  # the pool's proxy has the connection's methods
    except Exception as error:
        if not is_transient(error):
            raise
        raise StorageDown() from error
