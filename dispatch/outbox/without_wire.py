"""The result row of a message that ends without reaching the wire.

Owns the row of part 0 that holds its status. A message that went another way before gets none: it
stays what that way came to. Must not delete from the outbox nor store the row: whoever ends the
message does both in one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import asyncpg

from dispatch.answers.another_way import way_ended
from dlr.changed import messages_changed
from dlr.ledger import SubmissionRow
from dlr.reasons import Reason
from dlr.status import Status
from dlr.ways import settle_ways
from storage import events
from storage.ids import IdSource
from storage.pool import Connection


def row_without_wire(
    outbox: asyncpg.Record,
    ids: IdSource,
    status: Status,
    *,
    reason: Reason = Reason.NONE,
    error: str | None = None,
) -> SubmissionRow:
    """`outbox`: id, parts, account, category, connector and way of the row that was deleted."""
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
        way=outbox["way"],
    )


def ways_and_messages(
    outbox: Sequence[asyncpg.Record], begun: Callable[[asyncpg.Record], bool]
) -> tuple[list[asyncpg.Record], list[asyncpg.Record]]:
    """(further ways of which nothing was on the wire, nor may have been; the others).

    `begun`: whether parts of it went out.
    """
    ways: list[asyncpg.Record] = []
    others: list[asyncpg.Record] = []
    for row in outbox:
        only_way = row["way"] > 0 and not row["in_doubt"] and not begun(row)
        (ways if only_way else others).append(row)
    return ways, others


async def end_ways(
    connection: Connection, outbox: Sequence[asyncpg.Record], why: str, ids: IdSource
) -> None:
    """These further ways, deleted from the outbox in this transaction, are over. `why`: a reason or
    a status.
    """
    if not outbox:
        return
    await settle_ways(connection, [row["id"] for row in outbox])
    await events.append(
        connection, [way_ended(row["id"], row["connector"], why, ids) for row in outbox]
    )
    await messages_changed(connection, [(row["id"], row["account"]) for row in outbox], ids)
