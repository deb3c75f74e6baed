"""Carriers that send one receipt for a whole message, however many parts it has (E100).

Owns the step from the part that such a receipt matched to the other parts of its message. This
includes parts whose answer comes later. Must not match receipts nor decide what they mean.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import asyncpg

from dlr.connector_groups import ConnectorGroups
from dlr.status import Status
from storage import sql

_SQL = sql.load("dlr")


async def spread(
    connection: asyncpg.Connection, message_ids: Sequence[int], groups: ConnectorGroups
) -> Counter[tuple[int, int, int]]:
    """Give the best verdict received about a part of each message to all of its parts.

    Parts that the carrier refused keep theirs. Returns how many were raised, by (message,
    connector, status). In the caller's transaction.
    """
    if not message_ids or not groups.receipts_per_message:
        return Counter()
    records = await connection.fetch(
        _SQL["receipts_spread"],
        sorted(set(message_ids)),
        min(message_ids),
        sorted(groups.receipts_per_message),
        Status.UNKNOWN,
    )
    return Counter((record[0], record[1], record[2]) for record in records)
