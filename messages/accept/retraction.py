"""A COMMIT at accept whose answer was lost: did it happen, and if nobody can tell, the undoing.

Owns both. Must not decide what a client is told.

Usually the database is back in a moment and says what happened. If it stays away, clients get 503
and "nothing stored". What may have been stored all the same is then taken back, before the lane
writes again (storage/doubtful.py).
"""

from __future__ import annotations

import asyncio

from dlr.ledger import retract_unsent
from dlr.rollups.naming import name_changed
from storage import sql
from storage.doubtful import end_session
from storage.faults import UNAVAILABLE
from storage.pool import Connection, Dedicated

_SQL = sql.load("messages")
RESOLVE_SECONDS = 3.0  # clients wait for their answer meanwhile
POLL_SECONDS = 0.05


async def was_committed(dedicated: Dedicated, session: int, message_ids: list[int]) -> bool | None:
    """Whether these messages are stored; None if the database is not back within RESOLVE_SECONDS.

    They were one COMMIT of a session that was lost. That session is ended first, since its COMMIT
    may still be landing.
    """
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            while True:
                try:
                    connection = await dedicated.connection()
                    await end_session(connection, session)
                    stored = await connection.fetchval(_SQL["messages_stored"], message_ids)
                except UNAVAILABLE:
                    await asyncio.sleep(POLL_SECONDS)
                else:
                    return bool(stored == len(message_ids))
    except TimeoutError:
        return None


async def retract(connection: Connection, message_ids: list[int]) -> None:
    """Delete these messages. None of them was handed to the sending side."""
    await connection.execute(_SQL["retract_outbox"], message_ids)
    await retract_unsent(connection, message_ids)
    gone = await connection.fetch(_SQL["retract_message"], message_ids)
    await name_changed(connection, (row["id"] for row in gone))
    await connection.execute(_SQL["client_refs_retract"], message_ids)
