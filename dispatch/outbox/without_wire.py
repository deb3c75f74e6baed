"""The result row of a message that ends without reaching the wire.

Owns the row of part 0 that holds its status. Must not delete from the outbox nor store the row:
whoever ends the message does both in one transaction.
"""

from __future__ import annotations

import asyncpg

from dlr.ledger import SubmissionRow
from dlr.reasons import Reason
from dlr.status import Status
from storage.ids import IdSource


def row_without_wire(
    outbox: asyncpg.Record,
    ids: IdSource,
    status: Status,
    *,
    reason: Reason = Reason.NONE,
    error: str | None = None,
) -> SubmissionRow:
    """`outbox`: id, parts, account, category and connector of the row that was deleted."""
    return SubmissionRow(
        id=ids.next(),
        message_id=outbox["id"],
        part=0,
        parts=outbox["parts"],
        account=outbox["account"],
        category=outbox["category"],
        connector=outbox["connector"],
        status=status,
        reason=reason,
        error=error,
    )
