"""A connection for what the API reads, with the errors that a reader can be given.

Owns that translation, and how the planner takes what reads very much. Must not write.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from storage.faults import StorageDown, is_transient
from storage.pool import Connection


class ReportTooSlow(Exception):
    """The database gave up on a report: its span is too long."""


async def by_sets(connection: Connection) -> None:
    """What is counted from here to the end of the transaction is joined by sets.

    Freshly filled tables have no statistics yet. A nested loop over what the planner took for a
    handful of rows then runs into the time limit, at 6 000 messages already. And a generic plan
    groups by all that might have been asked for: twice the time.
    """
    await connection.execute(
        "SET LOCAL enable_nestloop = off; SET LOCAL plan_cache_mode = force_custom_plan"
    )


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
