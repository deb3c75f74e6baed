"""The rollups as they must be, counted message by message in Python from the tables alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from dlr.rollups.columns import (
    ANSWER,
    ATTEMPT_COUNTS,
    COUNTS,
    OTHER,
    RECEIPT,
    day_of,
    quarter_of_id,
)
from dlr.rollups.latency import bucket_of
from dlr.status import Status, fold
from storage.ids import time_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import asyncpg

    from storage.pool import Connection

COLUMN = {
    Status.DELIVERED: "delivered",
    Status.UNDELIVERED: "undelivered",
    Status.EXPIRED: "expired",
    Status.REJECTED: "rejected",
    Status.UNKNOWN: "unknown",
    Status.DROPPED: "failed",
    Status.FAILED: "failed",
    Status.SUPPRESSED: "suppressed",
    Status.CAPPED: "capped",
    Status.CANCELED: "canceled",
    Status.UNCONFIRMED: "unconfirmed",
}
NO_FAILURE = (Status.UNCONFIRMED, Status.SENT, Status.DELIVERED)

Rollups = dict[str, Counter[tuple[object, ...]]]


async def recounted(connection: Connection, below: int) -> Rollups:
    """Table -> (key ..., column) -> count, of the messages with ids below one."""
    told: dict[int, list[asyncpg.Record]] = defaultdict(list)
    for row in await connection.fetch("SELECT * FROM submission ORDER BY id"):
        told[row["message_id"]].append(row)
    waiting = {row["id"] for row in await connection.fetch("SELECT id FROM outbox")}
    found: Rollups = defaultdict(Counter)
    for message in await connection.fetch("SELECT * FROM message WHERE id < $1", below):
        if message["connector"] != -1:
            _count(found, message, told[message["id"]], waits=message["id"] in waiting)
    return found


def _count(
    found: Rollups, message: asyncpg.Record, rows: Sequence[asyncpg.Record], *, waits: bool
) -> None:
    counting = [row for row in rows if not row["replaced"]]
    status = _status(counting) if counting and not waits else Status.SENT
    deciding = min(rows, key=lambda row: _rank(row, status)) if rows else None
    connector = (deciding and deciding["connector"]) or message["connector"]
    failed = status not in NO_FAILURE
    error = (deciding["error"] or "") if deciding is not None and failed else ""
    reason = deciding["reason"] if deciding is not None and failed else 0
    counted = _columns(message, rows, status)
    quarter = quarter_of_id(message["id"])
    key = (
        message["account"], message["category"], connector, message["sender"], message["country"],
        message["operator"], message["campaign_id"] or "", message["variant"] or "",
    )  # fmt: skip
    for column, count in counted.items():
        found["rollup_cell"][quarter, *key, column] += count
        found["rollup_day"][day_of(quarter), *key, column] += count
        for tag in set(message["tags"] or ()):
            found["rollup_tag"][quarter, message["account"], message["category"], tag, column] += (
                count
            )
    if failed:
        why = (quarter, *key, status, reason, error)
        found["rollup_reason"][*why, "messages"] += 1
        found["rollup_reason"][*why, "sent"] += counted["sent"]
    of = (quarter, message["account"], message["category"])
    for tried, outcome in _attempts(rows).items():
        for counting_it in ("attempts", COLUMN.get(outcome)):
            if counting_it in ATTEMPT_COUNTS:
                found["rollup_attempt"][*of, tried, counting_it] += 1
    if not waits:
        for kind, bucket in _times(message, counting).items():
            found["rollup_latency"][*of, connector, kind, bucket] += 1
            day = (day_of(quarter), *of[1:])
            found["rollup_latency_day"][*day, connector, kind, bucket] += 1


def _status(rows: Sequence[asyncpg.Record]) -> Status:
    return fold(list(_parts(rows).values()), of=max(row["parts"] for row in rows))


def _parts(rows: Iterable[asyncpg.Record]) -> Mapping[int, Status]:
    best: dict[int, int] = {}
    for row in rows:
        best[row["part"]] = max(best.get(row["part"], 0), row["status"])
    return {part: Status(status) for part, status in best.items()}


def _rank(row: asyncpg.Record, status: Status) -> tuple[object, ...]:
    at = None if row["replaced"] else row["receipt_at"]
    return (
        row["replaced"], row["status"] != status, -row["status"], -row["reason"],
        at is None, at or time_of(0), row["id"],
    )  # fmt: skip


def _columns(
    message: asyncpg.Record, rows: Sequence[asyncpg.Record], status: Status
) -> Counter[str]:
    sent = [row for row in rows if _sent(row)]
    receipts = [
        row["receipt_at"] for row in rows if row["receipt_at"] is not None and not row["replaced"]
    ]
    segments: dict[int, int] = {}
    for row in sent:
        if row["part"] > 0:
            segments[row["part"]] = max(segments.get(row["part"], 0), row["segments"])
    columns = Counter({"accepted": 1, "sent": int(bool(sent)), "parts": sum(segments.values())})
    if status in COLUMN:
        columns[COLUMN[status]] += 1
    if receipts and message["expires_at"] is not None and max(receipts) > message["expires_at"]:
        columns["late"] += 1
    if status is Status.DELIVERED and receipts:
        seconds = (max(receipts) - time_of(message["id"])).total_seconds()
        columns["d5m"] += seconds <= 300
        columns["d1h"] += seconds <= 3600
    return columns


def _sent(row: asyncpg.Record) -> bool:
    return row["submitted_at"] is not None or row["status"] in (
        Status.UNCONFIRMED,
        Status.DROPPED,
    )


def _attempts(rows: Sequence[asyncpg.Record]) -> Mapping[int, Status]:
    wire = [row for row in rows if row["part"] > 0]
    return {
        connector: fold(list(_parts(row for row in wire if row["connector"] == connector).values()))
        for connector in {row["connector"] for row in wire}
    }


def _times(message: asyncpg.Record, rows: Sequence[asyncpg.Record]) -> Mapping[int, int]:
    """The latency buckets of a message, by kind: of those whose parts all have such a time."""
    wire = [row for row in rows if row["part"] > 0]
    if not wire:
        return {}
    parts = max(row["parts"] for row in rows)
    times: dict[int, int] = {}
    for kind, column in ((ANSWER, "responded_at"), (RECEIPT, "receipt_at")):
        reached = {row["part"] for row in wire if row[column] is not None}
        if len(reached) < parts:
            continue
        start = time_of(message["id"])
        if kind == RECEIPT:
            submitted = [row["submitted_at"] for row in rows if row["submitted_at"] is not None]
            if not submitted:
                continue
            start = max(submitted)
        end = max(row[column] for row in rows if row[column] is not None)
        times[kind] = bucket_of((end - start).total_seconds() * 1000)
    return times


async def stored(connection: Connection) -> Rollups:
    """The same, as the rollup tables have it."""
    names: dict[int, str] = {0: "", OTHER: "other"}
    for row in await connection.fetch("SELECT id, name FROM rollup_name"):
        names[row["id"]] = row["name"]
    keys: dict[int, tuple[object, ...]] = {}
    for row in await connection.fetch("SELECT * FROM rollup_key"):
        keys[row["id"]] = (
            row["account"], row["category"], row["connector"], names[row["sender"]],
            row["country"], row["operator"], names[row["campaign"]], names[row["variant"]],
        )  # fmt: skip

    def by_key(row: asyncpg.Record) -> tuple[object, ...]:
        return row[0], *keys[row["key"]]

    def by_tag(row: asyncpg.Record) -> tuple[object, ...]:
        return row["quarter"], row["account"], row["category"], names[row["tag"]]

    found: Rollups = {}
    for table, columns, key_of in (
        ("rollup_cell", COUNTS, by_key),
        ("rollup_day", COUNTS, by_key),
        ("rollup_tag", COUNTS, by_tag),
        ("rollup_attempt", ATTEMPT_COUNTS, lambda row: tuple(row)[:4]),
    ):
        counts = found[table] = Counter()
        for row in await connection.fetch(f"SELECT * FROM {table}"):
            counts.update({(*key_of(row), column): row[column] for column in columns})
    reasons = found["rollup_reason"] = Counter()
    for row in await connection.fetch("SELECT * FROM rollup_reason"):
        why = row["status"], row["reason"], names[row["code"]]
        for column in ("messages", "sent"):
            reasons[(*by_key(row), *why, column)] += row[column]
    for table in ("rollup_latency", "rollup_latency_day"):
        found[table] = await _histograms(connection, table)
    return found


async def _histograms(connection: Connection, table: str) -> Counter[tuple[object, ...]]:
    found: Counter[tuple[object, ...]] = Counter()
    for row in await connection.fetch(f"SELECT * FROM {table}"):
        for bucket, count in zip(row["buckets"], row["counts"], strict=True):
            found[(*tuple(row)[:5], bucket)] += count
    return found


def without_zeros(rollups: Rollups) -> dict[str, dict[tuple[object, ...], int]]:
    return {
        table: {key: count for key, count in counts.items() if count}
        for table, counts in rollups.items()
        if any(counts.values())
    }


async def assert_exact(connection: Connection) -> None:
    """The rollups say what a count of everything below the cursor says."""
    cursor = await connection.fetchval("SELECT cursor FROM rollup_state")
    assert without_zeros(await stored(connection)) == without_zeros(
        await recounted(connection, cursor)
    )
