"""One claim of messages that wait for nothing but room.

Owns which of them are taken: the next of one connector and category, by cursor. Must not change who
owns a row (claims.py).

What lost its moment while its batch was stopped gets one again, so that the rates are asked
(due_rows.py). A batch that goes on is then no burst.
"""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from dispatch.holds import Hold
from dispatch.outbox.backlog_cursor import Spans
from storage import sql
from storage.pool import Connection

_SQL = sql.load("dispatch")


class FreeRows:
    """What a claim may look for: at most so many rows of these spans."""

    def __init__(
        self, connector: int, category: int, spans: Spans, room: int, *, paced: bool
    ) -> None:
        """`paced`: there are rates to ask."""
        self._asked = (connector, category, *spans, room)
        self._paced = paced
        self.moved = False  # rows were put elsewhere: there may be more behind them

    async def find(self, database: Connection) -> Sequence[asyncpg.Record]:
        """The rows to be claimed, locked."""
        found = await database.fetch(_SQL["outbox_free"], *self._asked)
        if not self._paced:
            return found
        due = [row["id"] for row in found if row["hold"] == Hold.RATE]
        if not due:
            return found
        self.moved = True
        await database.execute(_SQL["outbox_due_now"], due)
        return [row for row in found if row["hold"] != Hold.RATE]
