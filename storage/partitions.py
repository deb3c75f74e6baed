"""Day partitions of the big tables: made ahead of time, dropped after their retention.

Owns which tables are partitioned, and how a leaf partition is named. Must not lock out writers. A
day is a day in UTC.

A leaf is built beside its parent and then attached. It is detached concurrently before it is
dropped.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

from storage.ids import id_at
from storage.sql import load

if TYPE_CHECKING:
    from collections.abc import Mapping

    from storage.pool import Connection

SQL = load("storage")

# Table and storage options of its leaves. Half of a submission page is kept free. So a row's one
# update (its receipt) stays on the page and touches no index.
PARTITIONED: Mapping[str, str] = MappingProxyType(
    {
        "message": "",
        "submission": "fillfactor = 50",
        "event": "",
        "click": "",
        "campaign_recipient": "",
        "inbound_message": "",
        "raw_delivery": "",
        "webhook_event": "",
        "webhook_attempt": "",
        "rollup_watch": "fillfactor = 70",
        "contact_event": "",
        "contact_event_source": "",
        "import_row": "",
    }
)
LOCK_TIMEOUT = "2s"  # behind a report that holds a table; the caller tries again later

_ONE_DAY = timedelta(days=1)


async def ensure_partitions(connection: Connection, today: date, days_ahead: int = 3) -> None:
    """Make missing leaves of every partitioned table: yesterday, today, and `days_ahead` days more.

    Raises asyncpg.LockNotAvailableError (transient) when a table is held for longer than
    LOCK_TIMEOUT.
    """
    wanted = _wanted(today, days_ahead)
    if not await _missing(connection, wanted):
        return
    async with connection.transaction():
        await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
        await connection.execute(SQL["lock_partitions"])
        for table, day in await _missing(connection, wanted):
            await connection.execute(_create_leaf(table, day))


async def missing_partitions(connection: Connection, today: date, days_ahead: int = 3) -> int:
    """How many leaves `ensure_partitions` would make."""
    return len(await _missing(connection, _wanted(today, days_ahead)))


async def ensure_leaf(connection: Connection, table: str, day: date) -> None:
    """Make the leaf of `table` for this day, if it is missing: for days that were before.

    Must not run inside a transaction. Raises as ensure_partitions does.
    """
    if not await _missing(connection, [(table, day)]):
        return
    async with connection.transaction():
        await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
        await connection.execute(SQL["lock_partitions"])
        if await _missing(connection, [(table, day)]):
            await connection.execute(_create_leaf(table, day))


async def drop_partitions(connection: Connection, table: str, before: date) -> list[str]:
    """Drop the leaves of `table` with days before `before` only. Returns their names, oldest first.

    Must not run inside a transaction. Raises asyncpg.LockNotAvailableError (transient), and
    LookupError for a table that is not partitioned.
    """
    if table not in PARTITIONED:
        raise LookupError(f"{table} is not partitioned")
    await connection.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
    try:
        end = leaf_name(table, before)
        # First what a process detached and did not live to drop, then what is still attached.
        left = await connection.fetch(SQL["detached_partitions"], table, end)
        dropped = [row["leaf"] for row in left]
        for leaf in dropped:
            await connection.execute(f'DROP TABLE "{leaf}"')
        for row in await connection.fetch(SQL["existing_partitions"], [table]):
            leaf, detaching = row["leaf"], row["detaching"]
            if leaf >= end:
                continue
            how = "FINALIZE" if detaching else "CONCURRENTLY"
            await connection.execute(f'ALTER TABLE {table} DETACH PARTITION "{leaf}" {how}')
            await connection.execute(f'DROP TABLE "{leaf}"')
            dropped.append(leaf)
        return dropped
    finally:
        await connection.execute("RESET lock_timeout")


async def oldest_day(connection: Connection, table: str) -> date | None:
    """The first day that `table` has a leaf for; None without any."""
    rows = await connection.fetch(SQL["existing_partitions"], [table])
    if not rows:
        return None
    return datetime.strptime(rows[0]["leaf"], f"{table}_%Y%m%d").replace(tzinfo=UTC).date()


def leaf_name(table: str, day: date) -> str:
    """`message_20240131`: the names sort as the days do."""
    return f"{table}_{day:%Y%m%d}"


def id_bounds(day: date) -> tuple[int, int]:
    """(lowest id of the day, lowest id of the next)."""
    midnight = datetime.combine(day, time.min, UTC)
    return id_at(midnight), id_at(midnight + _ONE_DAY)


def _wanted(today: date, days_ahead: int) -> list[tuple[str, date]]:
    days = [today + timedelta(days=offset) for offset in range(-1, days_ahead + 1)]
    return [(table, day) for table in PARTITIONED for day in days]


async def _missing(
    connection: Connection, wanted: list[tuple[str, date]]
) -> list[tuple[str, date]]:
    rows = await connection.fetch(SQL["existing_partitions"], list(PARTITIONED))
    existing = {row["leaf"] for row in rows}
    return [(table, day) for table, day in wanted if leaf_name(table, day) not in existing]


def _create_leaf(table: str, day: date) -> str:
    """Build and attach a leaf. ATTACH locks the parent less than CREATE … PARTITION OF, which would
    stop writers.
    """
    leaf, (first, end) = leaf_name(table, day), id_bounds(day)
    options = f" WITH ({PARTITIONED[table]})" if PARTITIONED[table] else ""
    return (
        f"CREATE TABLE {leaf} (LIKE {table} INCLUDING ALL){options};"
        f"ALTER TABLE {table} ATTACH PARTITION {leaf} FOR VALUES FROM ({first}) TO ({end})"
    )
