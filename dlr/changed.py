"""Messages changed: told to all who keep track, in the transaction that changes them.

Owns who these are: the webhooks and the rollups. Whoever writes `submission`, or ends an outbox
row, calls one of these. The recorder is on the hot way, and does the same in its own statements.
Must not change anything itself.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from dlr.ledger import AppliedReceipt, SubmissionRow
from dlr.rollups.naming import name_changed
from dlr.webhooks.changes import tell_messages, tell_receipts, tell_rows
from storage.ids import IdSource
from storage.pool import Connection


async def rows_changed(
    connection: Connection, rows: Sequence[SubmissionRow], ids: IdSource
) -> None:
    """These rows are new."""
    await tell_rows(connection, rows, ids)
    await name_changed(connection, (row.message_id for row in rows))


async def receipts_changed(
    connection: Connection, applied: Sequence[AppliedReceipt], ids: IdSource
) -> None:
    """These receipts were applied."""
    await tell_receipts(connection, applied, ids)
    await name_changed(connection, messages_of(applied))


async def messages_changed(
    connection: Connection, messages: Collection[tuple[int, int]], ids: IdSource
) -> None:
    """(message, account) of messages whose rows have changed."""
    await tell_messages(connection, messages, ids)
    await name_changed(connection, (message for message, _ in messages))


def messages_of(applied: Sequence[AppliedReceipt]) -> list[int]:
    """The messages whose status these receipts may have changed."""
    return [
        each.message_id
        for each in applied
        if each.message_id is not None and (each.changed or each.others)
    ]
