"""Lists of messages, newest first, by what a client knows of them.

Owns the bounds of a page: how many messages are looked through for it, however few match. Must not
write. By number, reference or batch messages are found through an index. Otherwise the list walks
back from the newest.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import asyncpg
import msgspec

from dlr.status import Status
from messages.reading.statuses import standings
from messages.reading.timeline import MessageRecord, read_messages
from storage import sql
from storage.ids import id_at, time_of
from storage.names import Registry
from storage.pool import Connection
from storage.reading import ReportTooSlow

_SQL = sql.load("messages")
WALK_MAX = 100_000  # messages of other accounts passed over for one page
STATUSES_MAX = 5_000  # messages whose status is looked up for one page
CHUNK, CHUNK_MAX = 100, 1_000
BATCH_SPAN = timedelta(hours=1)  # the ids of a batch are taken within moments of each other


class MessageFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages a list holds: those created in [since, until) that match all fields given."""

    since: datetime
    until: datetime
    to: str | None = None  # E.164 with +
    status: str | None = None  # label of dlr/status.py
    client_ref: str | None = None
    batch_id: int | None = None
    campaign_id: str | None = None
    tag: str | None = None


async def list_messages(
    connection: Connection,
    registry: Registry,
    account: int,
    wanted: MessageFilter,
    indexes: Sequence[bytes] | None,
    below: int | None,
    limit: int,
) -> tuple[list[MessageRecord], int | None]:
    """At most `limit` messages, and the id below which there may be more; None at the end.

    Raises ReportTooSlow at the database's time limit.
    """
    first, end = _span(wanted, below)
    found: list[MessageRecord] = []
    try:
        # One snapshot, so a message is listed by the status that its page shows.
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            await connection.execute("SET LOCAL plan_cache_mode = force_custom_plan")
            ids, stopped_at = await _candidates(
                connection, account, wanted, indexes, first, end, limit
            )
            matching = await _of_status(connection, ids, wanted.status, limit + 1)
            shown = matching[:limit]
            for start in range(0, len(shown), CHUNK):
                found += await read_messages(
                    connection, registry, account, shown[start : start + CHUNK]
                )
    except asyncpg.QueryCanceledError as error:
        raise ReportTooSlow from error
    return found, stopped_at if len(matching) <= limit else shown[-1]


async def _of_status(
    connection: Connection, ids: Sequence[int], status: str | None, many: int
) -> Sequence[int]:
    """The first ones of these that stand so: `many` or a few more. Those looked at at once become
    twice as many each time: a rare status would take a hundred statements.
    """
    if status is None:
        return ids
    found: list[int] = []
    start, size = 0, CHUNK
    while start < len(ids) and len(found) < many:
        stands = await standings(connection, ids[start : start + size])
        found += [
            each
            for each in ids[start : start + size]
            if each in stands and stands[each].status.label == status
        ]
        start, size = start + size, min(2 * size, CHUNK_MAX)
    return found


def _span(wanted: MessageFilter, below: int | None) -> tuple[int, int]:
    first, end = id_at(wanted.since), id_at(wanted.until)
    if wanted.batch_id is not None:
        first = max(first, wanted.batch_id)
        end = min(end, id_at(time_of(wanted.batch_id) + BATCH_SPAN))
    return first, end if below is None else min(end, below)


async def _candidates(
    connection: Connection,
    account: int,
    wanted: MessageFilter,
    indexes: Sequence[bytes] | None,
    first: int,
    end: int,
    limit: int,
) -> tuple[Sequence[int], int | None]:
    """(ids of messages that may match, newest first; the id below which there may be more)."""
    many = limit + 1 if wanted.status is None else STATUSES_MAX
    indexed = (indexes, wanted.client_ref, wanted.batch_id)
    also = (wanted.campaign_id, wanted.tag)
    if any(value is not None for value in indexed):
        # The planner reckons a BRIN by the order of its values: noise, where references are random.
        # After one ANALYZE in three it would read each day whole.
        await connection.execute("SET LOCAL enable_seqscan = off")
        rows = await connection.fetch(
            _SQL["messages_found"], account, first, end, *indexed, *also, many
        )
        await connection.execute("SET LOCAL enable_seqscan = on")
        ids = [row["id"] for row in rows]
        return ids, ids[-1] if len(ids) == many else None
    if wanted.status == Status.UNCONFIRMED.label:
        rows = await connection.fetch(_SQL["messages_in_doubt"], account, first, end, *also, many)
        ids = [row["id"] for row in rows]
        return ids, ids[-1] if len(ids) == many else None
    rows = await connection.fetch(
        _SQL["messages_walked"], account, first, end, *also, many, WALK_MAX
    )
    ids = [row["id"] for row in rows]
    if len(ids) == many:
        return ids, ids[-1]
    return ids, await connection.fetchval(_SQL["walk_end"], first, end, WALK_MAX)
