"""Messages whose ids were given out before: what a process that died had stored of them.

Owns the question and the answer that the first attempt would have got. Asked in the lane that would
store them, after it has settled what it is in doubt about, so that what is found stays. Must not
store messages.
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
# What a message was when it was accepted, if it still is; any later status was not the answer then.
_AT_ONCE = frozenset({Status.SCHEDULED, Status.HELD, Status.SUPPRESSED, Status.CAPPED})


async def stored_verdicts(connection: Connection, ids: Sequence[int]) -> dict[int, Verdict]:
    """Those of these messages that are stored, and what was or would have been answered."""
    rows = await connection.fetch(_SQL["stored_texts"], ids)
    if not rows:
        return {}
    standing = await standings(connection, [row["id"] for row in rows])
    return {
        row["id"]: _first_verdict(row["id"], row["text"], standing.get(row["id"])) for row in rows
    }


async def not_stored(connection: Connection, items: Sequence[Accepting]) -> Sequence[Accepting]:
    """Those of `items` that are still to be stored; the others get their verdict."""
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
