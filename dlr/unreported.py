"""Parts that were sent and that no receipt has said anything about.

Owns the walk through `submission` that finds them. Must not write, nor decide what is done about
them.
"""

from __future__ import annotations

from datetime import timedelta

import msgspec

from dlr.ledger import MATCH_DAYS
from dlr.status import Status
from storage import sql
from storage.ids import id_at, time_of
from storage.pool import Connection

_SQL = sql.load("dlr")
STRETCH_ROWS = 10_000


class Unreported(msgspec.Struct, frozen=True, gc=False):
    """One such part. Its message is from a sender ('' where it has none)."""

    submission_id: int
    carrier_id: str
    sender: str


class Found(msgspec.Struct, frozen=True):
    """`cursor`: where to go on when all `parts` were dealt with."""

    parts: list[Unreported]
    cursor: int


async def unreported(
    connection: Connection, connector: int, cursor: int, until: int, limit: int
) -> Found:
    """At most `limit` parts of a connector with ids between `cursor` and `until`, oldest first.

    Left out are parts whose carrier id another message has, too. Looks at STRETCH_ROWS rows.
    """
    rows = await connection.fetch(
        _SQL["submission_unreported"],
        cursor,
        until,
        STRETCH_ROWS,
        connector,
        Status.SENT,
        limit,
        id_at(time_of(cursor) - timedelta(days=MATCH_DAYS)),
    )
    parts = [
        Unreported(row["id"], row["carrier_id"], row["sender"])
        for row in rows
        if row["id"] is not None
    ]
    if len(parts) == limit:
        return Found(parts, parts[-1].submission_id)
    return Found(parts, rows[0]["until"] or cursor)
