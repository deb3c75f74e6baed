"""Messages whose ids were given out before: what a process that died had stored of them.

Owns that question, and the answers that the first attempt would have given. Must not store
messages.

It is asked in the lane that would store them, once that lane has settled its own doubts. So what is
found stays.
"""

from __future__ import annotations

from collections.abc import Sequence

from dlr.status import Status
from messages.accepting import Accepting
from messages.models import Verdict
from messages.reading.statuses import Standing, standings
from storage import sql
from storage.pool import Connection

_SQL = sql.load("messages")
# The status of a message at accept, if it still has it. Any later status was not answered then.
_AT_ONCE = frozenset({Status.SCHEDULED, Status.HELD, Status.SUPPRESSED, Status.CAPPED})


async def stored_verdicts(connection: Connection, ids: Sequence[int]) -> dict[int, Verdict]:
    """Those of these messages that are stored, with what was or would have been answered."""
    rows = await connection.fetch(_SQL["stored_texts"], ids)
    if not rows:
        return {}
    standing = await standings(connection, [row["id"] for row in rows])
    return {
        row["id"]: _first_verdict(row["id"], row["text"], standing.get(row["id"])) for row in rows
    }


async def not_stored(connection: Connection, items: Sequence[Accepting]) -> Sequence[Accepting]:
    """Those of `items` still to be stored. The others get their verdict."""
    for item in items:  # also when a flush is repeated item by item
        item.repeat_of = None
    again = [item.id for item in items if item.again]
    if not again:
        return items
    stored = await stored_verdicts(connection, again)
    for item in items:
        item.repeat_of = stored.get(item.id)
    return [item for item in items if item.repeat_of is None]


def _first_verdict(message_id: int, text: str, stands: Standing | None) -> Verdict:
    if stands is not None and stands.status in _AT_ONCE:
        return Verdict(message_id, stands.status.label, stands.why, text, held_until=stands.until)
    return Verdict(message_id, Status.ACCEPTED.label, None, text)
