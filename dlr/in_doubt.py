"""Submissions in doubt, changed when somebody decides about them.

Owns those changes of `submission`. Must not decide, and must not put messages anywhere. A part in
doubt has a row of status `unconfirmed`.

Sent again: the row is marked and stays in doubt, and the part is what its best row says. Given up:
the row is `dropped`. That ranks below every verdict of a carrier, so a late receipt still tells the
truth.
"""

from __future__ import annotations

from collections.abc import Sequence

from dlr.ledger import SubmissionRow, insert_submissions
from dlr.reasons import Reason
from dlr.status import Status
from storage import sql
from storage.pool import Connection

_SQL = sql.load("dlr")
# In doubt, or given up in doubt: it may have been sent.
IN_DOUBT = (Status.UNCONFIRMED, Status.DROPPED)
GIVEN_UP = "in doubt"  # `submission.error` of a part that failed because it was in doubt
RESENT = "resent"  # `submission.error` of a row in doubt whose part is submitted once more


async def lock_in_doubt(
    connection: Connection, account: int, message_ids: Sequence[int]
) -> dict[int, tuple[int, int]]:
    """Those of these messages with a part in doubt, with its connector and its way.

    No receipt changes their rows before the transaction ends.
    """
    if not message_ids:
        return {}
    rows = await connection.fetch(
        _SQL["in_doubt_lock"], message_ids, min(message_ids), account, Status.UNCONFIRMED
    )
    return {row["message_id"]: (row["connector"], row["way"]) for row in rows}


async def answered_late(connection: Connection, rows: Sequence[SubmissionRow]) -> None:
    """These submits were accepted, as an answer after its time says. Their rows leave the doubt.

    A row that was not stored is stored now. What was decided meanwhile stays where it ranks higher.
    """
    ids = [row.id for row in rows]
    found = await connection.fetch(
        _SQL["in_doubt_answered"],
        ids,
        [row.status for row in rows],
        [row.carrier_id for row in rows],
        [row.responded_at for row in rows],
        min(ids),
        max(ids),
    )
    known = {record["id"] for record in found}
    await insert_submissions(connection, [row for row in rows if row.id not in known])


async def mark_resent(connection: Connection, message_ids: Sequence[int]) -> None:
    """The parts in doubt of these will be submitted once more."""
    if message_ids:
        await connection.execute(
            _SQL["in_doubt_mark"], message_ids, min(message_ids), Status.UNCONFIRMED, RESENT
        )


async def drop(connection: Connection, message_ids: Sequence[int]) -> None:
    """Give up the parts in doubt of these."""
    if message_ids:
        await connection.execute(
            _SQL["in_doubt_drop"],
            message_ids,
            min(message_ids),
            Status.UNCONFIRMED,
            Status.DROPPED,
            Reason.INTERNAL,
        )
