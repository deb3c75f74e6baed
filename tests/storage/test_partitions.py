"""Day partitions: which exist, what they hold, and that making and dropping them stops nobody."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import asyncpg
import pytest

from storage.ids import id_at
from storage.partitions import (
    PARTITIONED,
    drop_partitions,
    ensure_partitions,
    id_bounds,
    leaf_name,
)
from storage.pool import close_connection, connect

if TYPE_CHECKING:
    from storage.pool import Connection

DAY = date(2090, 5, 7)


async def leaves(connection: Connection, table: str) -> list[str]:
    rows = await connection.fetch(
        "SELECT inhrelid::regclass::text AS leaf FROM pg_inherits WHERE inhparent = $1::regclass",
        table,
    )
    return sorted(row["leaf"] for row in rows)


async def insert_event(connection: Connection, moment: datetime) -> str:
    leaf: str = await connection.fetchval(
        "INSERT INTO event (id, message_id, kind) VALUES ($1, 1, 'x')"
        " RETURNING tableoid::regclass::text",
        id_at(moment),
    )
    return leaf


async def test_yesterday_to_the_days_ahead_of_every_table(connection: Connection) -> None:
    await ensure_partitions(connection, DAY, days_ahead=2)
    for table in PARTITIONED:
        made = [leaf for leaf in await leaves(connection, table) if "_2090" in leaf]
        assert made == [f"{table}_209005{day:02}" for day in (6, 7, 8, 9)]


async def test_a_row_lies_in_the_leaf_of_its_utc_day(connection: Connection) -> None:
    await ensure_partitions(connection, DAY)
    midnight = datetime(2090, 5, 7, tzinfo=UTC)
    last_millisecond = midnight + timedelta(days=1, milliseconds=-1)
    assert await insert_event(connection, midnight) == "event_20900507"
    assert await insert_event(connection, last_millisecond) == "event_20900507"
    assert await insert_event(connection, midnight + timedelta(days=1)) == "event_20900508"


async def test_submission_leaves_keep_half_of_each_page_free(connection: Connection) -> None:
    await ensure_partitions(connection, DAY)
    options = "SELECT reloptions FROM pg_class WHERE oid = $1::regclass"
    assert await connection.fetchval(options, "submission_20900507") == ["fillfactor=50"]
    assert await connection.fetchval(options, "message_20900507") is None


async def test_leaves_have_their_parents_indexes(connection: Connection) -> None:
    await ensure_partitions(connection, DAY)
    indexes = await connection.fetchval(
        "SELECT count(*) FROM pg_index JOIN pg_inherits ON inhrelid = indexrelid"
        " WHERE indrelid = 'submission_20900507'::regclass"
    )
    assert indexes == 3


async def test_again_and_by_two_nodes_at_once_is_harmless(
    connection: Connection, database_url: str
) -> None:
    other = await connect(database_url, application_name="test")
    await asyncio.gather(ensure_partitions(connection, DAY), ensure_partitions(other, DAY))
    before = await leaves(connection, "message")
    await ensure_partitions(connection, DAY)
    assert await leaves(connection, "message") == before
    await close_connection(other)


async def test_writers_are_not_stopped(connection: Connection, database_url: str) -> None:
    await ensure_partitions(connection, DAY)
    writer = await connect(database_url, application_name="test")
    async with writer.transaction():
        await insert_event(writer, datetime(2090, 5, 7, tzinfo=UTC))
        await ensure_partitions(connection, DAY + timedelta(days=5))  # would wait for the writer
        await insert_event(writer, datetime(2090, 5, 7, 1, tzinfo=UTC))
    assert await insert_event(writer, datetime(2090, 5, 12, tzinfo=UTC)) == "event_20900512"
    await close_connection(writer)


async def test_retention_drops_whole_days_only(connection: Connection) -> None:
    await ensure_partitions(connection, DAY)
    await connection.execute("SET lock_timeout = 0")
    old = [leaf for leaf in await leaves(connection, "click") if leaf < leaf_name("click", DAY)]
    assert await drop_partitions(connection, "click", DAY) == old
    assert (await leaves(connection, "click"))[0] == "click_20900507"
    assert await connection.fetchval("SELECT to_regclass('click_20900506')") is None
    assert await drop_partitions(connection, "click", DAY) == []


async def test_an_interrupted_detach_is_finished(connection: Connection, database_url: str) -> None:
    await ensure_partitions(connection, DAY)
    reader = await connect(database_url, application_name="test")
    async with reader.transaction(isolation="repeatable_read"):
        await reader.fetch("SELECT FROM click")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await drop_partitions(connection, "click", DAY)
    await drop_partitions(connection, "click", DAY)
    assert (await leaves(connection, "click"))[0] == "click_20900507"
    await close_connection(reader)


async def test_only_partitioned_tables_lose_anything(connection: Connection) -> None:
    with pytest.raises(LookupError):
        await drop_partitions(connection, "suppression", DAY)


def test_bounds_of_a_day_are_utc_midnights() -> None:
    first, end = id_bounds(DAY)
    assert first == id_at(datetime(2090, 5, 7, tzinfo=UTC))
    assert end == id_at(datetime(2090, 5, 8, tzinfo=UTC))
