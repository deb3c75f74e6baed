"""The last check for messages that were paused or canceled while they waited.

Owns the exactness of control. Must not end messages. What is stopped goes back to the outbox; what
was canceled has no row there any more.

Of a stopped batch that has messages again, all processes are to know, or each claim would meet it.

It runs in the transaction of an intent, under a lock that intents share. Whoever stops messages
takes it alone. So either the intent sees the stop, or the stop waits and sees the intent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from dispatch.holds import Hold
from dispatch.message import Later, ReadyMessage, StopVerdict
from storage import sql
from storage.pool import Connection

_SQL = sql.load("messages")


class ControlLook:
    """Implements LastLook. It has to be the first, since the others may wait behind its lock."""

    def __init__(self, wall_ms: Callable[[], int]) -> None:
        self._wall_ms = wall_ms

    def asks(self, messages: Sequence[ReadyMessage]) -> bool:
        return False  # open_intents looks for both

    async def decide(
        self, connection: Connection, messages: Sequence[ReadyMessage]
    ) -> Mapping[int, StopVerdict]:
        await connection.execute(_SQL["control_shared"])
        batches = list({message.batch_id for message in messages if message.batch_id is not None})
        # A statement of its own: it has to see what was committed during the wait for the lock.
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
        if stopped["batches"]:
            await connection.execute(_SQL["batches_live_again"], sorted(stopped["batches"]))
        paused = set(stopped["batches"])
        back = Later(self._wall_ms(), Hold.PAUSED)
        return {
            message.id: back
            for message in messages
            if message.batch_id in paused or message.id in canceled
        }
