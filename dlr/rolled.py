"""Counts of messages by outcome, from the rollups.

Owns the reading of rollup tables for reports. Must not write, nor count a message itself: that is
`dlr/report.py`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import chain

import asyncpg
import msgspec

from dlr.grouping import KEYS, NAMED, Grouping, Key, named
from dlr.report import (
    COUNTS,
    GROUPS_MAX,
    Counted,
    FailureCounts,
    Histograms,
    TooManyRows,
    add,
    counts_in,
)
from dlr.spans import NOTHING, Pieces, Range
from dlr.status import Status
from dlr.zone_days import by_days
from dlr.zones import Edge
from storage import sql
from storage.partitions import id_bounds, oldest_day
from storage.pool import Connection

_SQL = sql.load("dlr")


class Progress(msgspec.Struct, frozen=True):
    """Every message with an id below `cursor` is rolled up. Those from `stored_from` on are still
    stored; None: none is.
    """

    cursor: int
    stored_from: int | None


async def progress(connection: Connection) -> Progress:
    """How far rollups reach."""
    cursor: int | None = await connection.fetchval(_SQL["rolled_below"])
    day = await oldest_day(connection, "message")
    return Progress(cursor or 0, None if day is None else id_bounds(day)[0])


async def days_open(connection: Connection, first: int, last: int) -> int:
    """How many of the days have messages that may still change."""
    count: int = await connection.fetchval(_SQL["days_not_final"], first, last)
    return count


async def rolled_counts(
    connection: Connection,
    account: int,
    pieces: Pieces,
    grouping: Grouping,
    units: Sequence[Edge],
) -> Counted:
    """Outcomes from days and quarters, by the keys asked for. Raises TooManyRows."""
    if "tag" in grouping.keys:
        return await _tags(connection, account, pieces, grouping, units)
    flags = grouping.flags[: len(KEYS)]
    columns = tuple(column for column in grouping.columns if column != "reason")
    edges = [unit.quarter for unit in units]
    days = by_days(edges, pieces.days)
    records = await connection.fetch(
        _SQL["rolled_counts"],
        account,
        *pieces.days,
        *chain(*_two(pieces)),
        *flags,
        days.edges or None,
        GROUPS_MAX + 1,
    )
    found = await _named(connection, columns, records, counts_in)
    if days.moved:
        records = await connection.fetch(
            _SQL["rolled_moved"], account, days.moved, *flags, edges, days.edges, GROUPS_MAX + 1
        )
        add(found, await _named(connection, columns, records, counts_in))
        counted = ["counted" if column == "unit" else column for column in columns]
        add(found, await _named(connection, counted, records, _taken_away))
    return {key: counts for key, counts in found.items() if counts["accepted"]}


async def rolled_reasons(
    connection: Connection,
    account: int,
    quarters: Iterable[Range],
    grouping: Grouping,
    units: Sequence[Edge],
) -> Counted:
    """The messages that have a reason, by the keys asked for, `reason` among them."""
    found: Counted = {}
    for first, end in quarters:
        records = await connection.fetch(
            _SQL["rolled_reasons"],
            account,
            first,
            end,
            *grouping.flags[: len(KEYS)],
            _quarters(units),
            GROUPS_MAX + 1,
        )
        add(found, await _named(connection, grouping.columns, records, _ended))
    return found


async def rolled_failures(
    connection: Connection, account: int, quarters: Iterable[Range]
) -> FailureCounts:
    """Messages that were not delivered, by what the carriers said. Raises TooManyRows."""
    found: FailureCounts = Counter()
    for first, end in quarters:
        records = await connection.fetch(
            _SQL["rolled_failures"], account, first, end, GROUPS_MAX + 1
        )
        if len(records) > GROUPS_MAX:
            raise TooManyRows
        texts = await _texts(connection, {record["code"] for record in records})
        for record in records:
            code = named(record["code"], texts)
            word = (record["connector"], record["status"], record["reason"], code)
            found[word] += int(record["messages"])
    return found


async def rolled_latency(connection: Connection, account: int, pieces: Pieces) -> Histograms:
    """How long messages took, by what and by category, from days and quarters."""
    head, tail = _two(pieces)
    records = await connection.fetch(_SQL["rolled_latency"], account, *pieces.days, *head, *tail)
    found: Histograms = defaultdict(Counter)
    for record in records:
        found[record["kind"], record["category"]][record["bucket"]] = int(record["messages"])
    return found


async def _tags(
    connection: Connection,
    account: int,
    pieces: Pieces,
    grouping: Grouping,
    units: Sequence[Edge],
) -> Counted:
    found: Counted = {}
    for first, end in pieces.quarters:
        records = await connection.fetch(
            _SQL["rolled_tags"],
            account,
            first,
            end,
            "account" in grouping.keys,
            "category" in grouping.keys,
            _quarters(units),
            GROUPS_MAX + 1,
        )
        add(found, await _named(connection, grouping.columns, records, counts_in))
    return found


async def _named(
    connection: Connection,
    columns: Sequence[str],
    records: Sequence[asyncpg.Record],
    counts_of: Callable[[asyncpg.Record], dict[str, int]],
) -> Counted:
    """Groups by their keys, with texts for numbers of rollup_name. Raises TooManyRows."""
    if len(records) > GROUPS_MAX:
        raise TooManyRows
    by_name = [column for column in columns if column in NAMED]
    numbers = {record[column] for record in records for column in by_name}
    texts = await _texts(connection, numbers)
    found: Counted = {}
    for record in records:
        key: Key = tuple(
            named(record[column], texts) if column in NAMED else record[column]
            for column in columns
        )
        add(found, {key: counts_of(record)})
    return found


async def _texts(connection: Connection, numbers: set[int]) -> dict[int, str]:
    if not numbers:
        return {}
    rows = await connection.fetch(_SQL["rolled_names"], list(numbers))
    return {row["id"]: row["name"] for row in rows}


def _taken_away(record: asyncpg.Record) -> dict[str, int]:
    return {name: -count for name, count in counts_in(record).items()}


def _ended(record: asyncpg.Record) -> dict[str, int]:
    """The counts of messages of one status."""
    messages = int(record["messages"])
    counts = dict.fromkeys(COUNTS, 0)
    counts |= {"accepted": messages, "sent": int(record["sent"])}
    counts[Status(record["status"]).label] = messages
    return counts


def _two(pieces: Pieces) -> tuple[Range, Range]:
    first, second = (*pieces.quarters, NOTHING, NOTHING)[:2]
    return first, second


def _quarters(units: Sequence[Edge]) -> list[int] | None:
    return [unit.quarter for unit in units] or None
