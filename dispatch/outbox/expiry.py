"""What waits in the outbox until it is of no use to anybody.

Owns the sweep that ends such messages: one row of part 0, as for every message that ends before the
wire. What stands in a ready queue is ended there (planner.py). Must not end what somebody holds.
"""

from __future__ import annotations

from datetime import datetime

from dispatch.outbox.without_wire import row_without_wire
from dlr.ledger import insert_submissions
from dlr.reasons import Reason
from dlr.status import Status, stopped
from storage import sql
from storage.ids import IdSource
from storage.pool import Connection

_SQL = sql.load("dispatch")
ROWS_MAX = 500  # in one transaction
BATCHES_MAX = 20  # in one sweep, so that other work of this connection gets its turn


async def expire_waiting(connection: Connection, now: datetime, ids: IdSource) -> int:
    """End what has expired, as far as one sweep goes; returns how many messages.

    A message that may have been sent at an earlier attempt is `unconfirmed`: that it expired here
    says nothing about the copy that may be on its way.
    """
    ended = 0
    for _ in range(BATCHES_MAX):
        async with connection.transaction():
            rows = await connection.fetch(_SQL["outbox_expire"], now, ROWS_MAX)
            await insert_submissions(
                connection,
                [
                    row_without_wire(
                        row,
                        ids,
                        stopped(Status.EXPIRED, in_doubt=row["in_doubt"], begun=False),
                        reason=Reason.EXPIRED,
                        error="expired while waiting",
                    )
                    for row in rows
                ],
            )
        ended += len(rows)
        if len(rows) < ROWS_MAX:
            break
    return ended
