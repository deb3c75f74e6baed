"""The ways of a message: which of them says what it is.

Owns `submission.replaced`. A message that failed may go by another connector: that is its next way.
What a way was told stays on record, and only one way counts. Must not decide whether a message gets
another way (dispatch/answers/another_way.py does).
"""

from __future__ import annotations

from collections.abc import Collection

import asyncpg

from dlr.status import Status
from storage import sql

_SQL = sql.load("dlr")


async def settle_ways(connection: asyncpg.Connection, message_ids: Collection[int]) -> None:
    """Have the right way count, in the transaction that changed a way of these messages.

    The first way that delivered all its parts counts. Else it is the one that waits in the outbox,
    else the last.
    """
    if message_ids:
        ids = sorted(message_ids)
        await connection.execute(_SQL["ways_settle"], ids, ids[0], Status.DELIVERED)
