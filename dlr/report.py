"""How much was delivered: counts over messages, and what failed parts failed of.

Owns the counting; the formulas over the counts are `dlr/rates.py`. Reads only, on whatever
connection it is given. Driven by `message`, so that what was accepted and never sent counts too:
accepted is always the sum of the outcomes (`sent` is none).
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
    """`key`: the keys asked for; accounts and connectors by id, categories and reasons by label,
    days as ISO dates in UTC. `counts`: messages, under the names of COUNTS.
    """

    key: dict[str, KeyValue]
    counts: dict[str, int]
    place: tuple[str, ...] = ()  # among the groups of its question: where a page goes on


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

    Grouped by any of GROUP_KEYS, in the order of their values, categories and reasons in that of
    their numbers; none gives one group, or no group when there is no message. At most `limit`
    groups behind the place `after`, so a total is asked for by itself. Raises ValueError for
    another key.
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
    """The sum of counts; right only if the groups are all there are."""
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
    """From acceptance to submit_sm, per category. A schedule or a quiet hour counts as waiting."""
    records = await connection.fetch(
        _SQL["submit_latency"], since_id, until_id, account, PERCENTILES, EPOCH_UNIX_MS
    )
    return _latencies(records)


async def receipt_latency(
    connection: asyncpg.Connection, *, since_id: int, until_id: int, account: int | None = None
) -> list[Latency]:
    """From submit_sm to the deciding receipt, per category, of the parts that have one."""
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
    """As the API shows it."""
    if not isinstance(value, int):
        return value
    if key == "category":
        return Category(value).label
    if key == "reason":
        return Reason(value).label
    if key == "day":
        return (EPOCH + timedelta(days=value)).date().isoformat()
    return value
