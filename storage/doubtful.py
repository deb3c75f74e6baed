"""What to do about a COMMIT whose answer never came.

Owns the memory of what one writer tried to commit without learning the outcome, and the order in
which that is settled: the lost session is ended first, because its COMMIT may still be landing, and
only then is the work undone. Must not know what the work was: the writer brings its own undoing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from storage import sql

if TYPE_CHECKING:
    from storage.pool import Connection

_SQL = sql.load("storage")


class Doubtful:
    """One writer's ids whose commit is in doubt."""

    def __init__(self) -> None:
        self._ids: list[int] = []
        self._sessions: set[int] = set()

    @asynccontextmanager
    async def guard(self, connection: Connection, ids: Sequence[int]) -> AsyncIterator[None]:
        """Remember these ids if the body, a transaction on this connection, fails.

        `ids` is read when it has failed, so the body may still add to it.
        """
        session = connection.get_server_pid()
        try:
            yield
        except BaseException:
            self.remember(session, ids)
            raise

    def remember(self, session: int, ids: Sequence[int]) -> None:
        """The transaction of this session about these ids has an unknown end."""
        self._ids += ids
        self._sessions.add(session)

    def add(self, ids: Sequence[int]) -> None:
        """These are to be undone too, though nothing about them is in doubt."""
        self._ids += ids

    async def settle(
        self, connection: Connection, undo: Callable[[Connection, list[int]], Awaitable[None]]
    ) -> None:
        """Undo what may have been committed after all. Free when nothing is in doubt."""
        if not self._ids:
            return
        for session in self._sessions:
            await end_session(connection, session)
        async with connection.transaction():
            await undo(connection, self._ids)
        self._ids.clear()
        self._sessions.clear()


async def end_session(connection: Connection, session: int) -> None:
    """End a session of ours that was lost, unless it is this one, and wait until it is gone."""
    if session != connection.get_server_pid():
        await connection.execute(_SQL["end_session"], session)
