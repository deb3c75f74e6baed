"""Which messages repeat an earlier one: a `client_ref` is good once per account in 72 hours.

Owns table `client_ref`. The claim is part of the transaction that stores the messages, so a message
and its reference are both there or neither is. Must not store messages, and asks nothing about
messages without a reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from dlr.status import Status
from gateway.accept.accepting import Accepting
from gateway.accept.models import Verdict
from gateway.standing import Standing, standings
from storage import sql
from storage.ids import id_at
from storage.pool import Connection

_SQL = sql.load(__package__)
REMEMBERED = timedelta(hours=72)
PURGE_ROWS_MAX = 10_000
_GONE = Standing(Status.UNKNOWN)  # the first message is no longer stored, only its reference is


async def claim(
    connection: Connection, items: Sequence[Accepting], now: datetime
) -> Sequence[Accepting]:
    """Take the references of these messages; returns those that are to be stored.

    The others get `repeat_of`: the message of this flush that has the reference, or what became of
    the one that was stored before. A reference that another process is just storing is waited for.
    """
    first: dict[tuple[int, str], Accepting] = {}
    for item in items:
        reference = item.prepared.client_ref
        if reference is None:
            continue
        holder = first.setdefault((item.prepared.account, reference), item)
        item.repeat_of = None if holder is item else holder
    if not first:
        return items
    keys = sorted(first)  # in one order everywhere: two flushes never wait for each other
    claimed = await connection.fetch(
        _SQL["client_refs_claim"],
        [account for account, _ in keys],
        [reference for _, reference in keys],
        [first[key].id for key in keys],
        id_at(now - REMEMBERED),
    )
    if len(claimed) < len(keys):
        taken = {row["message_id"] for row in claimed}
        await _refer(connection, [item for item in first.values() if item.id not in taken])
    return [item for item in items if item.repeat_of is None]


async def _refer(connection: Connection, repeats: Sequence[Accepting]) -> None:
    """Tell each of these which message has its reference, and how that one stands."""
    rows = await connection.fetch(
        _SQL["client_refs_held"],
        [item.prepared.account for item in repeats],
        [item.prepared.client_ref for item in repeats],
    )
    standing = await standings(connection, [row["message_id"] for row in rows])
    for row in rows:
        item = repeats[row["position"] - 1]
        stands = standing.get(row["message_id"], _GONE)
        item.repeat_of = Verdict(
            row["message_id"], stands.status.label, stands.why, item.text, deduplicated=True
        )


async def purge(connection: Connection, now: datetime) -> int:
    """Forget references that may be used again; returns how many, at most PURGE_ROWS_MAX."""
    answer = await connection.execute(
        _SQL["client_refs_purge"], id_at(now - REMEMBERED), PURGE_ROWS_MAX
    )
    return int(answer.rpartition(" ")[2])
