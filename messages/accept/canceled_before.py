"""Messages that go in place of others of which one was canceled by itself: they are not stored.

Owns that question. Must not cancel a message.

It shares the lock that a cancel takes alone, until the end of the flush. So either the flush sees
the cancel, or the cancel waits and finds what the flush has stored.
"""

from __future__ import annotations

from collections.abc import Sequence

from dlr.status import Status
from messages.accepting import Accepting
from messages.control.cancel import BY_ITSELF
from messages.models import Refused
from storage import sql
from storage.pool import Connection

_SQL = sql.load("messages")
CANCELED = Refused(Status.CANCELED.label, "the message that it goes in place of was canceled")


async def not_canceled(connection: Connection, items: Sequence[Accepting]) -> Sequence[Accepting]:
    """Those of `items` still to be stored. The others are refused, by `repeat_of`."""
    earlier = [message for item in items for message in item.instead]
    if not earlier:
        return items
    await connection.execute(_SQL["control_shared"])
    # A statement of its own: it has to see what was committed during the wait for the lock.
    rows = await connection.fetch(
        _SQL["canceled_alone"], earlier, min(earlier), Status.CANCELED, BY_ITSELF
    )
    canceled = {row["message_id"] for row in rows}
    for item in items:
        if not canceled.isdisjoint(item.instead):
            item.repeat_of = CANCELED
    return [item for item in items if item.repeat_of is None]
