"""Withdrawal: what waits in the outbox for a number that has just opted out is ended.

Owns that sweep. Must not end what somebody holds in memory; that is ended before the wire
(planner.py, last_look.py).

The last look would stop such a message, too, but only when its moment comes. Until then it would be
shown as waiting. A later opt-in would even let it go.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import asyncpg

from dispatch.outbox.without_wire import end_ways, row_without_wire
from dlr.changed import rows_changed
from dlr.ledger import insert_submissions
from dlr.reasons import Reason
from dlr.status import Status
from recipients.scopes import WHOLE
from storage import sql
from storage.ids import IdSource, id_at
from storage.pool import Connection
from storage.suppression import Covers

_SQL = sql.load("dispatch")
ENTRIES_MAX = 500  # in one transaction
BATCHES_MAX = 20  # in one sweep, so that other work on this connection gets its turn
MESSAGES_MAX = 5_000  # of one batch of entries; what is left the last look stops
OVERLAP = timedelta(seconds=30)  # an entry may be committed so long after the moment it says
WAIT_DAYS = 45  # a message waits so long at most

_Place = tuple[datetime, bytes, int, int]


class Withdrawal:
    """The sweep of this process. Each process sweeps; a row is ended once. `withdrawn`: messages,
    since start.
    """

    def __init__(self, ids: IdSource, started_at: datetime, covers: Covers = WHOLE.covers) -> None:
        """`covers`: whether an opt-out of some senders is about a message from one."""
        self._ids = ids
        self._since = started_at - OVERLAP
        self.covers = covers
        self.withdrawn = 0

    async def turn(self, connection: Connection, now: datetime) -> None:
        """End what waits for those who opted out since the last turn."""
        after: _Place = (self._since, b"", -1, -2)
        for _ in range(BATCHES_MAX):
            async with connection.transaction():
                rows = await connection.fetch(
                    _SQL["outbox_opted_out"],
                    *after, int(Reason.OPTED_OUT), ENTRIES_MAX, id_at(now - timedelta(WAIT_DAYS)),
                    MESSAGES_MAX,
                )  # fmt: skip
                await self._end(connection, [row for row in rows if row["id"] is not None])
            entries = {_place(row) for row in rows}
            if len(entries) < ENTRIES_MAX:
                break
            after = max(entries)
        else:
            self._since = after[0]
            return
        self._since = max(self._since, now - OVERLAP)

    async def _end(self, connection: Connection, rows: Sequence[asyncpg.Record]) -> None:
        wanted = {
            row["id"] for row in rows if self.covers(row["account"], row["senders"], row["sender"])
        }
        if not wanted:
            return
        gone = await connection.fetch(_SQL["outbox_withdraw"], sorted(wanted))
        ended = [
            row_without_wire(
                row,
                self._ids,
                Status.SUPPRESSED,
                reason=Reason.OPTED_OUT,
                error="opted out while waiting",
            )
            for row in gone
            if not row["way"]
        ]
        await insert_submissions(connection, ended)
        await rows_changed(connection, ended, self._ids)
        ways = [row for row in gone if row["way"]]
        await end_ways(connection, ways, Reason.OPTED_OUT.label, self._ids)
        self.withdrawn += len(gone)


def _place(row: asyncpg.Record) -> _Place:
    return row["created_at"], row["to_idx"], row["of_account"], row["of_category"]
