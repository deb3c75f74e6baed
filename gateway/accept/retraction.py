"""What to do about a COMMIT whose answer never came.

Owns the clean-up after an accept flush that failed: its client is told 503, "nothing stored", so
what may have been stored all the same is taken back before the lane writes again. Must not decide
what a client is told.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from dlr.ledger import retract_unsent
from storage import sql
from storage.pool import Connection

_SQL = sql.load(__package__)


class Retraction:
    """Per lane: the ids of failed flushes, taken back before the next flush of that lane."""

    def __init__(self) -> None:
        self._doubtful: list[int] = []
        self._backends: set[int] = set()

    @asynccontextmanager
    async def guard(self, connection: Connection, ids: Sequence[int]) -> AsyncIterator[None]:
        """Remember these ids as doubtful if the body fails."""
        backend = connection.get_server_pid()
        try:
            yield
        except BaseException:
            self._doubtful += ids
            self._backends.add(backend)
            raise

    async def settle(self, connection: Connection) -> None:
        """Take back what failed flushes may have left. Runs before each flush; free when nothing is
        doubtful.
        """
        if not self._doubtful:
            return
        # A lost session's COMMIT may still be landing: it is ended first, else it could land after
        # the delete.
        others = [pid for pid in self._backends if pid != connection.get_server_pid()]
        for pid in others:
            await connection.execute(_SQL["end_session"], pid)
        async with connection.transaction():
            await connection.execute(_SQL["retract_outbox"], self._doubtful)
            await retract_unsent(connection, self._doubtful)
            await connection.execute(_SQL["retract_message"], self._doubtful)
        self._doubtful.clear()
        self._backends.clear()
