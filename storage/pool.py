"""Connections to PostgreSQL: one pool for reading, and named single connections for the writers.

Owns how a connection is set up, reconnected and fenced. Must not know any table but `owner_term`,
which fencing asks.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from typing import TYPE_CHECKING, TypeAlias

import asyncpg

from storage.codecs import set_codecs
from storage.embedded import EmbeddedError, EmbeddedServer
from storage.faults import (
    DATABASE_ERRORS,
    FATAL,
    NO_CONNECTION,
    DatabaseDown,
    DatabaseUnusable,
    Fenced,
    in_words,
    is_transient,
)
from storage.reads import SESSION_SETTINGS, ReadPool
from storage.sql import load
from storage.transactions import CleanConnection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

SQL = load("storage")
EMBEDDED = "embedded"
SERVER_VERSION_MIN = 15
CONNECT_SECONDS_MAX = 10.0
DEDICATED_STATEMENT_SECONDS_MAX = 15.0  # a server that says nothing is given up after this
# The kernel notices a host that vanished without a word before that. Octets not acknowledged for so
# long end the connection, and so does a silence in which probes find nobody.
SILENCE = {"TCP_USER_TIMEOUT": 6_000, "TCP_KEEPIDLE": 3, "TCP_KEEPINTVL": 1, "TCP_KEEPCNT": 3}
RECONNECT_SECONDS_MIN = 0.05
RECONNECT_SECONDS_MAX = 2.0

_log = logging.getLogger("smsgate.storage")


async def connect(
    url: str, *, application_name: str, statement_seconds_max: float | None = None
) -> Connection:
    """One connection with smsgate's codecs.

    Raises DatabaseDown when nobody answers (yet), DatabaseUnusable when the answer is a refusal.
    """
    try:
        connection: Connection = await asyncpg.connect(
            url,
            timeout=CONNECT_SECONDS_MAX,
            command_timeout=statement_seconds_max,
            connection_class=CleanConnection,
            server_settings={**SESSION_SETTINGS, "application_name": application_name},
        )
    except (
        asyncpg.InvalidAuthorizationSpecificationError,
        asyncpg.InvalidCatalogNameError,
        asyncpg.ClientConfigurationError,
    ) as error:
        raise DatabaseUnusable(f"cannot use the database: {error}") from error
    except NO_CONNECTION as error:
        raise DatabaseDown(f"cannot connect to the database: {in_words(error)}") from error
    try:
        await set_up(connection)
    except BaseException:
        connection.terminate()
        raise
    return connection


async def set_up(connection: Connection) -> None:
    """Set our codecs, and have the socket notice silence.

    Raises DatabaseUnusable for a server older than SERVER_VERSION_MIN.
    """
    version = connection.get_server_version()
    if version.major < SERVER_VERSION_MIN:
        raise DatabaseUnusable(
            f"PostgreSQL {version.major} is too old: smsgate needs {SERVER_VERSION_MIN} or later"
        )
    _notice_silence(connection)
    await set_codecs(connection)


def _notice_silence(connection: Connection) -> None:
    """asyncpg has no setting for this, and keeps its transport to itself."""
    bare = getattr(connection, "_con", connection)  # of a pool's proxy
    end = getattr(bare, "_transport").get_extra_info("socket")  # noqa: B009 - not in its stubs
    if end is None or end.family not in (socket.AF_INET, socket.AF_INET6):
        return  # the embedded server is no host that could vanish alone
    end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in SILENCE.items():
        if hasattr(socket, name):  # not every system has each of them
            end.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


class Dedicated:
    """A named single connection, for one user at a time. It reconnects by itself."""

    def __init__(self, database: Database, role: str) -> None:
        self._database = database
        self._role = role
        self._connection: Connection | None = None
        self._connecting = asyncio.Lock()
        self._backoff_seconds = 0.0
        self._not_before = 0.0
        self._closed = False

    async def connection(self) -> Connection:
        """The live connection, opened again if it was lost.

        Raises DatabaseDown when there is none now, after one attempt of at most
        CONNECT_SECONDS_MAX. During the backoff after an attempt (50 ms, doubling to 2 s) it raises
        at once. Raises Fenced when our term has ended, DatabaseUnusable when the operator must act.
        """
        connection = self._connection
        if connection is not None and not connection.is_closed():
            return connection
        async with self._connecting:
            return await self._reconnect()

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A transaction on the live connection.

        A connection lost inside is always DatabaseDown, whatever asyncpg calls it. The transaction
        may have been committed or not then.
        """
        async with self.guarded() as connection, connection.transaction():
            yield connection

    @contextlib.asynccontextmanager
    async def guarded(self) -> AsyncIterator[Connection]:
        """As transaction(), without a transaction: for a single statement."""
        connection = await self.connection()
        try:
            yield connection
        except DATABASE_ERRORS as error:
            if isinstance(error, (TimeoutError, asyncpg.InternalClientError, FATAL)):
                # Still busy with what we gave up. Or the server has said goodbye, and the stream
                # has not ended yet: asyncpg calls what happens in between a bug of its own.
                connection.terminate()
            if not connection.is_closed():
                raise
            raise DatabaseDown(f"connection {self._role} was lost: {in_words(error)}") from error

    async def close(self) -> None:
        """Close the connection for good."""
        self._closed = True
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            await close_connection(connection)

    async def _reconnect(self) -> Connection:
        if self._connection is not None and not self._connection.is_closed():
            return self._connection  # somebody else did it while we waited
        if self._closed:
            raise DatabaseDown(f"connection {self._role} was closed by us")
        if time.monotonic() < self._not_before:
            raise DatabaseDown(f"no connection {self._role}: trying again soon")
        try:
            self._connection = await self._database.open_connection(self._role)
        except DatabaseDown:
            self._backoff_seconds = min(
                RECONNECT_SECONDS_MAX, max(RECONNECT_SECONDS_MIN, self._backoff_seconds * 2)
            )
            self._not_before = time.monotonic() + self._backoff_seconds
            raise
        self._backoff_seconds = 0.0
        return self._connection


class Database:
    """One PostgreSQL, embedded or not. Made by `open`."""

    def __init__(
        self, url: str, application_name: str, server: EmbeddedServer | None, read: ReadPool
    ) -> None:
        self.url = url
        self.read = read
        self._application_name = application_name
        self._server = server
        self._term: int | None = None
        self._dedicated: list[Dedicated] = []
        self._revival: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls,
        url: str,
        data_dir: Path,
        *,
        application_name: str,
        read_connections: int = 4,
        on_progress: Callable[[str], None] = lambda line: None,
    ) -> Database:
        """Start or join the embedded server of `data_dir` (url "embedded"), or use a server by its
        URL.

        Raises EmbeddedError or DatabaseUnusable (the operator must act), DatabaseDown (no answer
        now).
        """
        server = None
        if url == EMBEDDED:
            server = EmbeddedServer(data_dir, on_progress=on_progress)
            url = (await server.start()).url
        try:
            first = await connect(url, application_name=application_name)
            await close_connection(
                first
            )  # opened for its errors, which the pool would not tell as clearly
            read = await ReadPool(
                url,
                application_name=f"{application_name}:read",
                connections=read_connections,
                connected=set_up,
            )
        except BaseException:
            if server is not None:
                await server.stop()
            raise
        return cls(url, application_name, server, read)

    def use_term(self, term: int) -> None:
        """From now on connections carry the term in their name, by which `terms.fence` finds them.

        They are refused once the term has ended. Call this before the dedicated connections are
        first used.
        """
        self._term = term
        self._application_name = f"smsgate:{term}"

    def dedicated(self, role: str) -> Dedicated:
        """A connection of its own, closed with the database. It connects at its first use."""
        dedicated = Dedicated(self, role)
        self._dedicated.append(dedicated)
        return dedicated

    async def open_connection(self, role: str) -> Connection:
        """A new connection named after `role`, which the caller closes. Raises as
        Dedicated.connection does.
        """
        try:
            connection = await connect(
                self.url,
                application_name=f"{self._application_name}:{role}",
                statement_seconds_max=DEDICATED_STATEMENT_SECONDS_MAX,
            )
        except DatabaseDown:
            self._revive()
            raise
        try:
            await self._refuse_if_fenced(connection)
        except BaseException:
            connection.terminate()
            raise
        return connection

    async def close(self) -> None:
        """Close every connection, then let go of the embedded server."""
        await asyncio.gather(*(dedicated.close() for dedicated in self._dedicated))
        self._dedicated.clear()
        try:
            async with asyncio.timeout(CONNECT_SECONDS_MAX):
                await self.read.close()
        except TimeoutError:
            self.read.terminate()  # a report still runs, and its caller ends with us
        if self._revival is not None:
            self._revival.cancel()
            await asyncio.wait({self._revival})
        if self._server is not None:
            await self._server.stop()

    async def _refuse_if_fenced(self, connection: Connection) -> None:
        if self._term is None:
            return
        try:
            live = await connection.fetchval(SQL["term_is_live"], self._term)
        except DATABASE_ERRORS as error:
            if is_transient(error):
                raise DatabaseDown(f"connection lost at once: {in_words(error)}") from error
            raise
        if not live:
            raise Fenced(f"owner term {self._term} has ended: another process took over its work")

    def _revive(self) -> None:
        """Make sure that the embedded server runs, as it may have been killed. Does not hold up the
        caller.
        """
        if self._server is not None and (self._revival is None or self._revival.done()):
            self._revival = asyncio.create_task(
                self._start_again(self._server), name="postgres revival"
            )

    async def _start_again(self, server: EmbeddedServer) -> None:
        try:
            target = await server.start()
        except EmbeddedError as error:
            _log.error("embedded PostgreSQL cannot be started again: %s", error)
            return
        if target.url != self.url:
            self.url = target.url
            self.read.set_connect_args(target.url)


async def close_connection(connection: Connection) -> None:
    """Close it politely; at once when the server does not answer or we are in a hurry."""
    try:
        await connection.close(timeout=CONNECT_SECONDS_MAX)
    except DATABASE_ERRORS:
        connection.terminate()
    except BaseException:
        connection.terminate()
        raise
