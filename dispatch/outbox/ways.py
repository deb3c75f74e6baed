"""The check of messages that go another way: is there still need of it?

Owns that check. Must not begin a way (dispatch/answers/another_way.py does).

The carrier of an earlier way may say late that it delivered the message after all. What waits in
the outbox is then taken out at once. What is in memory by then ends here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dispatch.message import Ended, ReadyMessage, StopVerdict
from dlr.reasons import Reason
from dlr.status import Status
from storage import sql
from storage.pool import Connection

_SQL = sql.load("dispatch")
RULE = "another_way"


class WayLook:
    """Implements LastLook."""

    def asks(self, messages: Sequence[ReadyMessage]) -> bool:
        return any(message.way for message in messages)

    async def decide(
        self, connection: Connection, messages: Sequence[ReadyMessage]
    ) -> Mapping[int, StopVerdict]:
        ways = {message.id: message.way for message in messages if message.way}
        if not ways:
            return {}
        rows = await connection.fetch(
            _SQL["ways_overtaken"], list(ways), min(ways), Status.DELIVERED
        )
        verdict = Ended(Status.DELIVERED, Reason.NONE, RULE)
        return {row["message_id"]: verdict for row in rows if row["way"] < ways[row["message_id"]]}
