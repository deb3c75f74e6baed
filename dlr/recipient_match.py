"""Receipts with an unknown carrier id, matched to the submits in doubt that they are about.

Owns the match by recipient, sender and time, where there is only one way to match. Must not guess:
a receipt for which two submits would do stays parked.

A submit_sm that was never answered has no carrier id. So its receipt finds nothing and is parked.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import asyncpg
import msgspec

from dlr.connector_groups import ALONE, ConnectorGroups
from dlr.in_doubt import IN_DOUBT
from dlr.ledger import MATCH_DAYS, AppliedReceipt, apply_receipts, unparked
from storage import sql
from storage.ids import IdSource, id_at

_SQL = sql.load("dlr")
ROWS_MAX = 500


class Matched(msgspec.Struct, frozen=True):
    """`cursor`: where to go on, None at the end. `applied`: what was found."""

    cursor: int | None
    applied: list[AppliedReceipt]


async def match_recipients(
    connection: asyncpg.Connection,
    cursor: int,
    older_than: datetime,
    ids: IdSource,
    *,
    groups: ConnectorGroups = ALONE,
) -> Matched:
    """Look at ROWS_MAX parked receipts from `cursor` (an id) on, in the caller's transaction.

    Of those parked before `older_than`, by at most MATCH_DAYS.
    """
    horizon = id_at(older_than - timedelta(days=MATCH_DAYS))
    found = await connection.fetch(
        _SQL["unmatched_by_recipient"],
        max(cursor, horizon),
        id_at(older_than),
        ROWS_MAX,
        horizon,
        IN_DOUBT,
        *groups.pairs(),
    )
    rows = [
        unparked(record, record["submission"])
        for record in found
        if record["submission"] is not None
    ]
    applied = await apply_receipts(connection, rows, ids, now=older_than, groups=groups)
    more = found[0]["looked_at"] == ROWS_MAX
    return Matched(found[0]["cursor"] if more else None, applied)
