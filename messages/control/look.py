"""The last look at what was paused or canceled while it waited.

Owns the exactness of control: in the transaction of an intent, after the lock that every intent
shares and whoever stops messages takes alone, what is stopped is seen, or the stopping waits and
sees the intent. Must not end messages: what is stopped goes back to the outbox, where what was
canceled has no row any more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from dispatch.holds import Hold
from dispatch.message import Later, ReadyMessage, StopVerdict
from storage import sql
from storage.pool import Connection

_SQL = sql.load("messages")


class ControlLook:
    """Implements LastLook; has to be the first, since the others may wait behind its lock."""

    def __init__(self, wall_ms: Callable[[], int]) -> None:
        self._wall_ms = wall_ms

    def asks(self, messages: Sequence[ReadyMessage]) -> bool:
        return False  # open_intents looks for both

    async def decide(
        self, connection: Connection, messages: Sequence[ReadyMessage]
    ) -> Mapping[int, StopVerdict]:
        await connection.execute(_SQL["control_shared"])
        batches = list({message.batch_id for message in messages if message.batch_id is not None})
        # A statement of its own: it has to see what was committed while the lock was waited for.
        stopped = await connection.fetchrow(_SQL["stopped"], batches)
        assert stopped is not None
        canceled: set[int] = set()
        if stopped["canceled"]:
            taken = await connection.fetch(
                _SQL["take_canceled"], [message.id for message in messages]
            )
            canceled = {row["message_id"] for row in taken}
        if not stopped["batches"] and not canceled:
            return {}
        paused = set(stopped["batches"])
        back = Later(self._wall_ms(), Hold.PAUSED)
        return {
            message.id: back
            for message in messages
            if message.batch_id in paused or message.id in canceled
        }
