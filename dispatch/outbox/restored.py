"""What waited in a database that was made from a backup.

What was sent after the backup is in the restored outbox again. Nobody here can tell it from what
was not. Owns what becomes of both. Must not run once a process may claim messages.
"""

from __future__ import annotations

from enum import Enum

from dispatch.outbox.recovery import unanswered_parts
from dlr.changed import rows_changed
from dlr.ledger import insert_submissions
from dlr.reasons import Reason
from dlr.status import Status
from storage import events, sql
from storage.categories import Category
from storage.events import Event
from storage.ids import IdSource
from storage.pool import Connection

_SQL = sql.load("dispatch")
ROWS_MAX = 500  # in one transaction
CAUSE = "the database was made from a backup"


class Waiting(Enum):
    """What becomes of what waited. HOLD: its owner decides, one-time passwords are expired."""

    HOLD = "hold"
    RESEND = "resend"
    DROP = "drop"


async def settle_waiting(connection: Connection, ids: IdSource, waiting: Waiting) -> int:
    """Do it, in steps of ROWS_MAX. Returns how many messages waited.

    RESEND leaves them to the first start, which asks each category about what was in doubt.
    """
    count: int = await connection.fetchval(_SQL["outbox_count"])
    if waiting is Waiting.RESEND:
        return count
    await connection.execute(_SQL["intents_forget"])
    while await _step(connection, ids, waiting) == ROWS_MAX:
        pass
    return count


async def _step(connection: Connection, ids: IdSource, waiting: Waiting) -> int:
    async with connection.transaction():
        rows = await connection.fetch(_SQL["outbox_take"], ROWS_MAX)
        if not rows:
            return 0
        results = await unanswered_parts(connection, rows, ids)
        for result in results:
            result.status = _status(result.category, waiting)
            result.reason = Reason.RESTORED
        await insert_submissions(connection, results)
        await rows_changed(connection, results, ids)
        detail = {"policy": waiting.value, "cause": CAUSE}
        await events.append(
            connection, [Event(ids.next(), row["id"], "in_doubt", detail) for row in rows]
        )
    return len(rows)


def _status(category: int, waiting: Waiting) -> Status:
    if waiting is Waiting.DROP:
        return Status.DROPPED
    return Status.EXPIRED if category == Category.OTP else Status.UNCONFIRMED
