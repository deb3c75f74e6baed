"""Counts of messages by outcome, from the messages themselves.

Owns the counting, for spans that no rollup has and for what is grouped as none is. Must not write,
nor know the formulas over the counts (`dlr/rates.py`). The rollups are read by `dlr/rolled.py`.

It starts from `message`, so what was accepted and never sent counts too. Accepted is always the sum
of the outcomes; `sent` and `late` are none.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import asyncpg
import msgspec

from dlr.grouping import Grouping, Key
from dlr.rollups.columns import ANSWER, RECEIPT
from dlr.rollups.columns import OUTCOMES as ENDED
from dlr.rollups.latency import bucket_of
from dlr.zones import Edge
from storage import sql
from storage.ids import EPOCH_UNIX_MS
from storage.pool import Connection
from storage.reading import by_sets

_SQL = sql.load("dlr")

OUTCOMES = (*ENDED, "pending")
COUNTS = ("accepted", "sent", *OUTCOMES, "late")
NO_GROUPING = Grouping((), None, ())
GROUPS_MAX = 10_000


class TooManyRows(Exception):
    """The groups asked for are more than GROUPS_MAX."""


class Span(msgspec.Struct, frozen=True):
    """Messages with since_id <= id < until_id (storage.ids.id_at makes ids of times), of an
    account, a campaign and a batch, where named.
    """

    since_id: int
    until_id: int
    account: int | None = None
    campaign: str | None = None
    batch: int | None = None


Counted = dict[Key, dict[str, int]]
"""Messages under the names of COUNTS, by the values of the keys asked for."""

FailureCounts = Counter[tuple[int, int, int, str | int | None]]
"""Messages by connector, status, reason and the carrier's own code."""

Histograms = dict[tuple[int, int], Counter[int]]
"""Messages by bucket of dlr/rollups/latency.py, for each kind (ANSWER, RECEIPT) and category."""


async def message_counts(
    connection: Connection,
    span: Span,
    grouping: Grouping = NO_GROUPING,
    units: Sequence[Edge] = (),
) -> Counted:
    """Outcomes of the messages of the span. Without keys there is one group, or none when there is
    no message. Reads all of them. Raises TooManyRows.
    """
    records = await connection.fetch(
        _SQL["message_counts"],
        span.since_id,
        span.until_id,
        span.account,
        span.campaign,
        span.batch,
        *grouping.flags,
        [unit.quarter for unit in units],
        GROUPS_MAX + 1,
        EPOCH_UNIX_MS // 1000,
    )
    if len(records) > GROUPS_MAX:
        raise TooManyRows
    return {
        tuple(record[column] for column in grouping.columns): counts_in(record)
        for record in records
    }


async def batch_counts(
    connection: Connection, account: int, batch: int, until_id: int
) -> dict[str, int]:
    """Messages of one batch under the names of COUNTS; empty where it has none. `until_id`: its
    last id.

    In the caller's transaction, or ValueError.
    """
    if not connection.is_in_transaction():
        raise ValueError("how a batch is counted is set for a transaction")
    await by_sets(connection)
    groups = await message_counts(
        connection, Span(batch, until_id + 1, account=account, batch=batch)
    )
    await connection.execute("SET LOCAL enable_nestloop = on; SET LOCAL plan_cache_mode = auto")
    return total_of(groups) if groups else {}


async def messages_within(
    connection: Connection, since_id: int, until_id: int, most: int, account: int | None = None
) -> int:
    """How many messages have ids in [since_id, until_id); at most `most` are counted."""
    count: int = await connection.fetchval(
        _SQL["messages_within"], since_id, until_id, most, account
    )
    return count


async def message_failures(connection: Connection, span: Span) -> FailureCounts:
    """Messages of an account that were not delivered, by what the carriers said."""
    records = await connection.fetch(
        _SQL["message_failures"], span.since_id, span.until_id, span.account
    )
    found: FailureCounts = Counter()
    for record in records:
        word = (record["connector"], record["status"], record["reason"], record["error"])
        found[word] += record["messages"]
    return found


async def message_latency(connection: Connection, span: Span) -> Histograms:
    """How long messages of an account took, by what and by category."""
    found: Histograms = defaultdict(Counter)
    records = await connection.fetch(
        _SQL["message_latency"], span.since_id, span.until_id, span.account, EPOCH_UNIX_MS
    )
    for record in records:
        for kind, milliseconds in ((ANSWER, record["answer"]), (RECEIPT, record["receipt"])):
            if milliseconds is not None:
                found[kind, record["category"]][bucket_of(milliseconds)] += 1
    return found


def counts_in(record: Mapping[str, int] | asyncpg.Record) -> dict[str, int]:
    """The counts of a row that lacks `pending`: what is accepted and has not ended."""
    counts = {name: int(record[name]) for name in COUNTS if name != "pending"}
    counts["pending"] = counts["accepted"] - sum(counts[name] for name in ENDED)
    return {name: counts[name] for name in COUNTS}


def add(total: Counted, more: Counted) -> None:
    """Add groups to groups. Raises TooManyRows."""
    for key, counts in more.items():
        known = total.setdefault(key, dict.fromkeys(counts, 0))
        for name, count in counts.items():
            known[name] = known.get(name, 0) + count
    if len(total) > GROUPS_MAX:
        raise TooManyRows


def total_of(groups: Counted) -> dict[str, int]:
    """The sum of counts. It is right only if these groups are all there are, and no message is in
    two.
    """
    total = dict.fromkeys(COUNTS, 0)
    for counts in groups.values():
        for name in COUNTS:
            total[name] += counts.get(name, 0)
    return total
