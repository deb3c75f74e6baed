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

_SQL = sql.load(__package__)

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
GROUPS_MAX = 1_000
FAILURE_CODES_MAX = 200
PERCENTILES = (0.5, 0.95, 0.99)

KeyValue = int | str | None


class GroupCounts(msgspec.Struct):
    """`key`: the keys asked for; accounts and connectors by id, categories and reasons by label,
    days as ISO dates in UTC. `counts`: messages, under the names of COUNTS.
    """

    key: dict[str, KeyValue]
    counts: dict[str, int]


class FailureCode(msgspec.Struct, frozen=True):
    """`error` is the carrier's own code; `parts` counts parts, not messages."""

    connector: int
    status: str
    reason: str
    error: str | None
    parts: int


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
) -> list[GroupCounts]:
    """Outcomes of the messages with since_id <= id < until_id (storage.ids.id_at makes ids of
    times).

    Grouped by any of GROUP_KEYS, in the order of their values; none gives one group, or no group
    when there is no message. Of more than GROUPS_MAX groups the largest are given, so a total is
    asked for by itself. Raises ValueError for another key.
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
        GROUPS_MAX,
    )
    groups = [
        GroupCounts(
            key={key: _key_value(key, record[key]) for key in group_by},
            counts={name: record[name] for name in COUNTS},
        )
        for record in records
    ]
    groups.sort(key=lambda group: [_sortable(group.key[key]) for key in group_by])
    return groups


def total_of(groups: Iterable[GroupCounts]) -> dict[str, int]:
    """The sum of counts; right only if the groups are all there are (GROUPS_MAX)."""
    total = dict.fromkeys(COUNTS, 0)
    for group in groups:
        for name, count in group.counts.items():
            total[name] += count
    return total


async def failure_codes(
    connection: asyncpg.Connection, *, since_id: int, until_id: int, account: int | None = None
) -> list[FailureCode]:
    """The most frequent carrier codes of failed parts, at most FAILURE_CODES_MAX."""
    records = await connection.fetch(
        _SQL["failure_codes"], since_id, until_id, account, FAILURE_CODES_MAX
    )
    return [
        FailureCode(
            connector=record["connector"],
            status=Status(record["status"]).label,
            reason=Reason(record["reason"]).label,
            error=record["error"],
            parts=record["parts"],
        )
        for record in records
    ]


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


def _sortable(value: KeyValue) -> tuple[bool, int, str]:
    """None last; numbers by size, names by letters."""
    if isinstance(value, int):
        return (False, value, "")
    return (value is None, 0, value or "")
