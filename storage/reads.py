"""The connections that reports, lists and look-ups read by.

Owns their number, and how long a read may take. Must not know any table. No read waits for a server
that says nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping
from types import MappingProxyType
from typing import Any, Final

import asyncpg
from asyncpg.pool import PoolAcquireContext, PoolConnectionProxy

from storage.faults import DATABASE_ERRORS

READ_SECONDS_MAX: Final = 15.0  # one statement, even where the server never answers
STATEMENT_MS_MAX: Final = 14_500  # the server's own limit, which comes first while it answers
FREE_SECONDS_MAX: Final = 5.0  # until a connection is free, and until one is given back
# Of every session, whatever the server has, in milliseconds. The second: how soon the server ends
# what it does for a client that has gone, and lets go of its locks. In UTC a day has 24 hours.
SESSION_SETTINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "idle_in_transaction_session_timeout": "30000",
        "client_connection_check_interval": "1000",
        "TimeZone": "UTC",
    }
)
_QUERIES_MAX: Final = 50_000  # of one connection, and its seconds without any: asyncpg's usual
_IDLE_SECONDS_MAX: Final = 300.0

Connected = Callable[[Any], Coroutine[Any, Any, None]]  # given to each new connection, in its proxy


class ReadPool(asyncpg.Pool):
    """As asyncpg's pool, but every wait ends.

    A read is given up when it took too long or its caller is gone. It leaves its connection at
    once, and the server is asked to cancel. A server that does not react to that loses the
    connection, which the next reader opens anew.
    """

    def __init__(
        self, url: str, *, application_name: str, connections: int, connected: Connected
    ) -> None:
        super().__init__(
            url,
            min_size=1,
            max_size=connections,
            max_queries=_QUERIES_MAX,
            max_inactive_connection_lifetime=_IDLE_SECONDS_MAX,
            init=connected,
            loop=None,
            connection_class=asyncpg.Connection,
            record_class=asyncpg.Record,
            timeout=FREE_SECONDS_MAX,
            command_timeout=READ_SECONDS_MAX,
            server_settings={
                **SESSION_SETTINGS,
                "application_name": application_name,
                "statement_timeout": str(STATEMENT_MS_MAX),
                "default_transaction_read_only": "on",  # only fenced connections may write
            },
        )
        self.waiting = 0  # for a free connection
        self._leaving: set[asyncio.Task[None]] = set()

    def acquire(self, *, timeout: float | None = None) -> Reading:
        """A connection for `async with`. Raises TimeoutError if none was free in time."""
        return Reading(self, FREE_SECONDS_MAX if timeout is None else timeout)

    def leave(self, connection: PoolConnectionProxy[asyncpg.Record]) -> None:
        """Give back a connection that may still be busy, without waiting for it."""
        leaving = asyncio.get_running_loop().create_task(self._left(connection), name="read left")
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)

    async def _left(self, connection: PoolConnectionProxy[asyncpg.Record]) -> None:
        with contextlib.suppress(*DATABASE_ERRORS):
            await self.release(connection, timeout=FREE_SECONDS_MAX)


class Reading(PoolAcquireContext):
    """One connection, for the time of a block."""

    __slots__ = ()

    pool: ReadPool

    async def __aenter__(self) -> PoolConnectionProxy[asyncpg.Record]:
        """Wait for a free one."""
        self.pool.waiting += 1
        try:
            return await super().__aenter__()
        finally:
            self.pool.waiting -= 1

    async def __aexit__(self, *exc: object) -> None:
        """Give the connection back. What was read is read, even where this fails."""
        connection, self.connection, self.done = self.connection, None, True
        if connection is None:
            return
        if isinstance(exc[1], (TimeoutError, asyncio.CancelledError)):
            self.pool.leave(connection)
            return
        with contextlib.suppress(*DATABASE_ERRORS):
            await self.pool.release(connection)
