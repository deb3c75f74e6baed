"""COMMITs whose answer was lost, and the undoing of their work.

Owns what one writer tried to commit without learning the outcome, and the order in which that is
settled. Must not know what the work was: the writer brings its own undoing.

The lost session is ended first, because its COMMIT may still be landing. Only then is the work
undone.
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
    """The ids of one writer whose commit is in doubt."""

    def __init__(self) -> None:
        self._ids: list[int] = []
        self._sessions: set[int] = set()

    @asynccontextmanager
    async def guard(self, connection: Connection, ids: Sequence[int]) -> AsyncIterator[None]:
        """Remember these ids if the body fails, a transaction on this connection.

        `ids` is read when it has failed, so the body may still add to it.
        """
        session = connection.get_server_pid()
        try:
            yield
        except BaseException:
            self.remember(session, ids)
            raise

    def remember(self, session: int, ids: Sequence[int]) -> None:
        """The transaction of this session about these ids has an unknown outcome."""
        self._ids += ids
        self._sessions.add(session)

    def add(self, ids: Sequence[int]) -> None:
        """These are to be undone too, though nothing about them is in doubt."""
        self._ids += ids

    async def settle(
        self, connection: Connection, undo: Callable[[Connection, list[int]], Awaitable[None]]
    ) -> None:
        """Undo what may have been committed. Costs nothing when nothing is in doubt."""
        if not self._ids:
            return
        for session in self._sessions:
            await end_session(connection, session)
        async with connection.transaction():
            await undo(connection, self._ids)
        self._ids.clear()
        self._sessions.clear()


async def end_session(connection: Connection, session: int) -> None:
    """End a lost session of ours, unless it is this one. Returns when it is gone."""
    if session != connection.get_server_pid():
        await connection.execute(_SQL["end_session"], session)
