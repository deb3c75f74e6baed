"""What is asked of the database about the messages of a flush before they are stored.

Owns the form of such a check and the check of the suppression list. A check looks at all messages
of the flush at once, inside its transaction, and marks those that end or wait; it writes nothing
that a repeated flush would count twice. Must not store messages.
"""

from __future__ import annotations

from collections.abc import Sequence

from dispatch.message import Ended
from dlr.reasons import Reason
from dlr.status import Status
from messages.accepting import Accepting
from storage import suppression
from storage.pool import Connection


class SuppressionCheck:
    """Who must not be texted."""

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
            reason = found.reason(item.to_idx, message.account, message.category, item.old_idx)
            if reason is not None:
                item.ended = Ended(Status.SUPPRESSED, Reason(reason), "suppression")
