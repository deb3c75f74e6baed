"""Connections to the store: the way there and back takes time, and can break at any point.

Owns what a writer sees of a database that is slow, away, or lost while it commits. Must not know a
statement. A transaction is one moment, so another never sees half of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from enum import Enum
from typing import Any, cast

import asyncpg

from benchmarks.simulated.clock import BEGAN_MS, Life, VirtualLoop, current
from benchmarks.simulated.statements import Statements
from benchmarks.simulated.store import Record, Store
from storage.faults import DatabaseDown
from storage.pool import Database, Dedicated

WAY_SECONDS = 0.001


class Break(Enum):
    """Where the next commit is lost: before it happened, or only its answer."""

    BEFORE = "before"
    AFTER = "after"


class MemoryDatabase:
    """What `Dedicated` asks for a connection."""

    def __init__(self, loop: VirtualLoop, store: Store, statements: Statements) -> None:
        self.loop = loop
        self.store = store
        self.statements = statements
        self.away_until = 0.0
        self.slow_until = 0.0
        self.breaks: list[Break] = []
        self.busy = False
        self.committed: Callable[[], None] = lambda: None
        self._open: list[MemoryConnection] = []

    def dedicated(self, role: str) -> Dedicated:
        """As Database.dedicated."""
        return Dedicated(cast("Database", self), role)

    async def open_connection(self, role: str) -> MemoryConnection:
        """Raises DatabaseDown while it is away."""
        await self.way()
        if self.loop.time() < self.away_until:
            raise DatabaseDown(f"{role}: nobody answers")
        connection = MemoryConnection(self, len(self._open) + 1, current())
        self._open.append(connection)
        return connection

    async def way(self) -> None:
        """One way to the database or back."""
        await asyncio.sleep(max(self.slow_until - self.loop.time(), 0.0) + WAY_SECONDS)

    def go_away(self, seconds: float) -> None:
        """As a restart: every session ends."""
        self.away_until = self.loop.time() + seconds
        for connection in self._open:
            connection.terminate()

    def end_of(self, life: Life) -> None:
        """A process is gone, and its sessions with it."""
        for connection in self._open:
            if connection.life is life:
                connection.terminate()


class MemoryConnection:
    """The part of an asyncpg connection that sending uses."""

    def __init__(self, database: MemoryDatabase, session: int, life: Life) -> None:
        self.life = life
        self._database = database
        self._session = session
        self._closed = False
        self._within = False

    def is_closed(self) -> bool:
        return self._closed

    def terminate(self) -> None:
        """End the session."""
        self._closed = True

    async def close(self) -> None:
        self._closed = True

    def get_server_pid(self) -> int:
        return self._session

    async def execute(self, query: str, *arguments: Any) -> str:
        answer = await self._run(query, arguments)
        return answer if isinstance(answer, str) else ""

    async def executemany(self, query: str, rows: Iterable[Sequence[Any]]) -> None:
        for row in rows:
            await self._run(query, row)

    async def fetch(self, query: str, *arguments: Any) -> Sequence[Record]:
        return cast("Sequence[Record]", await self._run(query, arguments) or ())

    async def fetchval(self, query: str, *arguments: Any) -> object:
        return await self._run(query, arguments)

    async def copy_records_to_table(
        self, table: str, *, records: Iterable[Sequence[Any]], columns: Sequence[str]
    ) -> None:
        assert (table, self._within) == ("submission", True)
        self._database.statements.submission_copy(records)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """All or nothing; whether it was all may be unknown to the caller."""
        await self._there()
        database = self._database
        assert not database.busy, "a transaction waited for something with its rows open"
        database.busy = self._within = True
        try:
            yield
        except BaseException:
            database.store.rollback()
            raise
        finally:
            database.busy = self._within = False
        await self._commit()

    async def _run(self, query: str, arguments: Sequence[Any]) -> object:
        if self._within:
            return self._database.statements.run(query, *arguments)
        async with self.transaction():
            return self._database.statements.run(query, *arguments)

    async def _there(self) -> None:
        await self._database.way()
        self._still_open()
        now = BEGAN_MS / 1000 + self._database.loop.time()
        self._database.statements.now = datetime.fromtimestamp(now, UTC)

    async def _commit(self) -> None:
        database = self._database
        lost = database.breaks.pop(0) if database.breaks else None
        if lost is Break.BEFORE:
            database.store.rollback()
        else:
            database.store.commit()
            database.committed()
        if lost is not None:
            self._closed = True
            raise asyncpg.ConnectionDoesNotExistError("connection was closed")
        await database.way()
        self._still_open()

    def _still_open(self) -> None:
        if self._closed:
            raise asyncpg.ConnectionDoesNotExistError("connection was closed")
