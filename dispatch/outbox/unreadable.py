"""Messages whose stored number cannot be decrypted: they can go to nobody, so they fail.

Owns that end: one row of part 0, as for each message that ends before the wire. Must not decrypt
numbers (storage/crypto.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import structlog

from dispatch.outbox.without_wire import end_ways, row_without_wire, ways_and_messages
from dlr.changed import rows_changed
from dlr.ledger import insert_submissions
from dlr.reasons import Reason
from dlr.status import Status, stopped
from storage import sql
from storage.ids import IdSource
from storage.pool import Connection

_SQL = sql.load("dispatch")
_log = structlog.get_logger(__name__)

NUMBER_UNREADABLE = "number unreadable"


async def fail_unreadable(
    connection: Connection, begun: Mapping[int, bool], term: int, ids: IdSource
) -> Sequence[int]:
    """End these messages of this term, in the caller's transaction.

    Given as id -> whether parts of it went out. What an earlier attempt may have sent becomes
    `unconfirmed`.
    """
    rows = await connection.fetch(_SQL["outbox_unreadable"], list(begun), term)
    ways, others = ways_and_messages(rows, lambda row: begun[row["id"]])
    failed = [
        row_without_wire(
            row,
            ids,
            stopped(Status.FAILED, in_doubt=row["in_doubt"], begun=begun[row["id"]]),
            reason=Reason.INTERNAL,
            error=NUMBER_UNREADABLE,
        )
        for row in others
    ]
    await insert_submissions(connection, failed)
    await rows_changed(connection, failed, ids)
    await end_ways(connection, ways, Reason.INTERNAL.label, ids)
    if rows:
        _log.error("number_unreadable", messages=len(rows), remedy="restore them from a backup")
    return [row["id"] for row in rows]
