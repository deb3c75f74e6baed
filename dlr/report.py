"""Delivery reports: counts of messages by outcome, and the errors of failed parts.

Owns the counting. Must not write, nor know the formulas over the counts (`dlr/rates.py`).

It starts from `message`, so what was accepted and never sent counts too: accepted is always the sum
of the outcomes (`sent` is none).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

import asyncpg
import msgspec

from dlr.reasons import Reason
from dlr.status import Status
from storage import sql
from storage.categories import Category
from storage.ids import EPOCH, EPOCH_UNIX_MS

_SQL = sql.load("dlr")

GROUP_KEYS = ("account", "category", "connector", "campaign", "variant", "reason", "day")
OUTCOMES = (
    "delivered",
    "undelivered",
    "expired",
    "rejected",
    "unknown",
    "failed",
    "suppressed",
    "capped",
    "canceled",
    "unconfirmed",
    "pending",
)
COUNTS = ("accepted", "sent", *OUTCOMES)
FAILURE_CODES_MAX = 200
PERCENTILES = (0.5, 0.95, 0.99)

KeyValue = int | str | None


class GroupCounts(msgspec.Struct):
    """`counts`: messages, under the names of COUNTS. `key`: the values of the keys asked for.

    Accounts and connectors by id, categories and reasons by label, days as ISO dates in UTC.
    """

    key: dict[str, KeyValue]
    counts: dict[str, int]
    place: tuple[str, ...] = ()  # its place among the groups, where a page goes on


class FailureCode(msgspec.Struct, frozen=True):
    """`error` is the carrier's own code; `parts` counts parts, not messages."""

    connector: int
    status: str
    reason: str
    error: str | None
    parts: int


class FailureCodes(msgspec.Struct, frozen=True):
    """`parts` counts all that failed, also of codes that are not among `codes`."""

    codes: list[FailureCode]
    parts: int
    complete: bool


class Latency(msgspec.Struct, frozen=True):
    """Seconds at PERCENTILES over `parts` parts of one category."""

    category: str
    parts: int
    p50: float
    p95: float
    p99: float


async def delivery_counts(
    connection: asyncpg.Connection,
    *,
    since_id: int,
    until_id: int,
    group_by: Sequence[str] = (),
    account: int | None = None,
    campaign: str | None = None,
    batch: int | None = None,
    after: Sequence[str] | None = None,
    limit: int | None = None,
) -> list[GroupCounts]:
    """Outcomes of the messages with since_id <= id < until_id (storage.ids.id_at makes ids of
    times).

    Grouped by any of GROUP_KEYS, in the order of their values; categories and reasons by number.
    Without keys there is one group, or none when there is no message. At most `limit` groups behind
    the place `after`, so ask for a total by itself. Raises ValueError for another key.
    """
    for key in group_by:
        if key not in GROUP_KEYS:
            raise ValueError(f"group_by {key!r}: expected any of {', '.join(GROUP_KEYS)}")
    records = await connection.fetch(
        _SQL["delivery_counts"],
        since_id,
        until_id,
        account,
        campaign,
        batch,
        *(key in group_by for key in GROUP_KEYS),
        [GROUP_KEYS.index(key) + 1 for key in group_by],
        after,
        limit,
    )
    return [
        GroupCounts(
            key={key: _key_value(key, record[key]) for key in group_by},
            counts={name: record[name] for name in COUNTS},
            place=tuple(record["place"]),
        )
        for record in records
    ]


def total_of(groups: Iterable[GroupCounts]) -> dict[str, int]:
    """The sum of counts. It is right only if these groups are all there are."""
    total = dict.fromkeys(COUNTS, 0)
    for group in groups:
        for name, count in group.counts.items():
            total[name] += count
    return total


async def failure_codes(
    connection: asyncpg.Connection, *, since_id: int, until_id: int, account: int | None = None
) -> FailureCodes:
    """The most frequent carrier codes of failed parts, at most FAILURE_CODES_MAX."""
    records = await connection.fetch(
        _SQL["failure_codes"], since_id, until_id, account, FAILURE_CODES_MAX + 1
    )
    codes = [
        FailureCode(
            connector=record["connector"],
            status=Status(record["status"]).label,
            reason=Reason(record["reason"]).label,
            error=record["error"],
            parts=record["parts"],
        )
        for record in records[:FAILURE_CODES_MAX]
    ]
    parts = int(records[0]["parts_all"]) if records else 0
    return FailureCodes(codes, parts, complete=len(records) <= FAILURE_CODES_MAX)


async def submit_latency(
    connection: asyncpg.Connection, *, since_id: int, until_id: int, account: int | None = None
) -> list[Latency]:
    """Seconds from acceptance to submit_sm, per category. Schedules and quiet hours count as
    waiting.
    """
    records = await connection.fetch(
        _SQL["submit_latency"], since_id, until_id, account, PERCENTILES, EPOCH_UNIX_MS
    )
    return _latencies(records)


async def receipt_latency(
    connection: asyncpg.Connection, *, since_id: int, until_id: int, account: int | None = None
) -> list[Latency]:
    """Seconds from submit_sm to the deciding receipt, per category, of parts that have one."""
    records = await connection.fetch(
        _SQL["receipt_latency"], since_id, until_id, account, PERCENTILES
    )
    return _latencies(records)


def _latencies(records: Iterable[asyncpg.Record]) -> list[Latency]:
    return [
        Latency(
            Category(record["category"]).label,
            record["parts"],
            *[round(seconds, 3) for seconds in record["seconds"]],
        )
        for record in records
    ]


def _key_value(key: str, value: KeyValue) -> KeyValue:
    """A key's value as the API shows it."""
    if not isinstance(value, int):
        return value
    if key == "category":
        return Category(value).label
    if key == "reason":
        return Reason(value).label
    if key == "day":
        return (EPOCH + timedelta(days=value)).date().isoformat()
    return value
