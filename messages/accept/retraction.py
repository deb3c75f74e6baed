"""An accept flush whose COMMIT was not answered: did it happen, and if nobody can tell, its
undoing.

Owns both. Usually the database is back in a moment and says what happened, and the client is
answered accordingly. If it stays away the client is told 503, "nothing stored", and what may have
been stored all the same is taken back before the lane writes again (storage/doubtful.py). Must not
decide what a client is told.
"""

from __future__ import annotations

import asyncio

from dlr.ledger import retract_unsent
from storage import sql
from storage.doubtful import end_session
from storage.faults import UNAVAILABLE
from storage.pool import Connection, Dedicated

_SQL = sql.load("messages")
RESOLVE_SECONDS = 3.0  # a client waits for its answer meanwhile
POLL_SECONDS = 0.05


async def was_committed(dedicated: Dedicated, session: int, message_ids: list[int]) -> bool | None:
    """Whether these messages, committed or not by a session that was lost, are there; None if the
    database does not come back in RESOLVE_SECONDS.

    The lost session is ended first: its COMMIT may still be landing.
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
    """Take these messages back. Nothing of them was handed to the dispatch side."""
    await connection.execute(_SQL["retract_outbox"], message_ids)
    await retract_unsent(connection, message_ids)
    await connection.execute(_SQL["retract_message"], message_ids)
    await connection.execute(_SQL["client_refs_retract"], message_ids)
