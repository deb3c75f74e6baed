"""Messages that expire while they wait in the outbox.

Owns the sweep that ends them: one row of part 0, as for each message that ends before the wire.
Must not end what a process holds in memory (planner.py does).
"""

from __future__ import annotations

from datetime import datetime
from operator import itemgetter

from dispatch.outbox.without_wire import end_ways, row_without_wire, ways_and_messages
from dlr.changed import rows_changed
from dlr.ledger import insert_submissions
from dlr.reasons import Reason
from dlr.status import Status, stopped
from storage import sql
from storage.ids import IdSource
from storage.pool import Connection

_SQL = sql.load("dispatch")
ROWS_MAX = 500  # in one transaction
BATCHES_MAX = 20  # in one sweep, so that other work on this connection gets its turn


class Expiry:
    """The sweep of this process. `expired`: messages, since start."""

    def __init__(self, ids: IdSource) -> None:
        self._ids = ids
        self.expired = 0

    async def turn(self, connection: Connection, now: datetime) -> None:
        """End what waited longer than it is of use."""
        self.expired += await expire_waiting(connection, now, self._ids)


async def expire_waiting(connection: Connection, now: datetime, ids: IdSource) -> int:
    """End what has expired, at most one sweep's worth. Returns how many messages.

    A message that an earlier attempt may have sent becomes `unconfirmed`. That it expired here says
    nothing about that copy.
    """
    ended = 0
    for _ in range(BATCHES_MAX):
        async with connection.transaction():
            rows = await connection.fetch(_SQL["outbox_expire"], now, ROWS_MAX)
            ways, others = ways_and_messages(rows, itemgetter("begun"))
            ended_rows = [
                row_without_wire(
                    row,
                    ids,
                    stopped(Status.EXPIRED, in_doubt=row["in_doubt"], begun=row["begun"]),
                    reason=Reason.EXPIRED,
                    error="expired while waiting",
                )
                for row in others
            ]
            await insert_submissions(connection, ended_rows)
            await rows_changed(connection, ended_rows, ids)
            await end_ways(connection, ways, Reason.EXPIRED.label, ids)
        ended += len(rows)
        if len(rows) < ROWS_MAX:
            break
    return ended
