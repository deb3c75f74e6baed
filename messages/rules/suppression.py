"""The suppression list, asked about the messages of a flush before they are stored.

Owns that check. Must not store messages.

A check looks at all messages of the flush at once, inside its transaction. It marks those that end
or wait. It writes nothing that a repeated flush would count twice.
"""

from __future__ import annotations

from collections.abc import Sequence

from dispatch.message import Ended
from dlr.reasons import Reason
from dlr.status import Status
from messages.accepting import Accepting
from storage import suppression
from storage.pool import Connection
from storage.suppression import Covers


class SuppressionCheck:
    """A FlushCheck: who is suppressed is not written to."""

    def __init__(self, covers: Covers | None = None) -> None:
        """`covers` None: a suppression of some senders is one of all."""
        self._covers = covers

    def concerns(self, item: Accepting) -> bool:
        return False

    async def decide(self, connection: Connection, items: Sequence[Accepting]) -> None:
        found = await suppression.look_up(connection, suppression.indexes_of(items))
        if not found:
            return
        for item in items:
            message = item.prepared
            if message.options is not None and message.options.exempt:
                continue
            reason = found.reason(
                item.to_idx,
                message.account,
                message.category,
                item.old_idx,
                sender=message.sender,
                covers=self._covers,
            )
            if reason is not None:
                item.ended = Ended(Status.SUPPRESSED, Reason(reason), "suppression")
