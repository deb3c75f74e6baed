"""Migrations: once, in order, unchanged, each whole or not at all, and by one process at a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from storage.faults import UNAVAILABLE
from storage.migrate import FOLDER, Migration, MigrationError, migrate, migrations_in
from storage.pool import Connection, close_connection, connect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

FIRST = Migration("0001_first.sql", "CREATE TABLE first (a integer);")
SECOND = Migration("0002_second.sql", "ALTER TABLE first ADD b integer; CREATE TABLE second ();")


@pytest.fixture
async def empty(empty_database_url: str) -> AsyncIterator[Connection]:
    connection = await connect(empty_database_url, application_name="test")
    yield connection
    await close_connection(connection)


async def tables(connection: Connection) -> set[str]:
    rows = await connection.fetch(
        "SELECT relname FROM pg_class"
        " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
    )
    return {row["relname"] for row in rows}


async def test_the_shipped_schema_is_applied_once(empty: Connection) -> None:
    shipped = [path.name for path in sorted(FOLDER.glob("*.sql"))]
    assert await migrate(empty) == shipped
    assert {"message", "outbox", "owner_term", "schema_migration"} <= await tables(empty)
    assert await migrate(empty) == []


async def test_only_what_is_missing_is_applied(empty: Connection) -> None:
    assert await migrate(empty, [FIRST]) == ["0001_first.sql"]
    assert await migrate(empty, [FIRST, SECOND]) == ["0002_second.sql"]
    assert await tables(empty) == {"first", "second", "schema_migration"}


async def test_two_processes_at_once_apply_it_once(empty_database_url: str) -> None:
    both = [await connect(empty_database_url, application_name="test") for _ in range(2)]
    applied = await asyncio.gather(*(migrate(connection) for connection in both))
    assert sorted(map(len, applied)) == [0, len(migrations_in(FOLDER))]
    for connection in both:
        await close_connection(connection)


async def test_a_changed_file_is_refused(empty: Connection) -> None:
    await migrate(empty, [FIRST])
    tampered = Migration(FIRST.name, FIRST.sql.replace("integer", "bigint"))
    with pytest.raises(MigrationError, match=r"0001_first\.sql was changed"):
        await migrate(empty, [tampered, SECOND])
    assert await tables(empty) == {"first", "schema_migration"}


async def test_a_newer_database_is_refused(empty: Connection) -> None:
    await migrate(empty, [FIRST, SECOND])
    with pytest.raises(MigrationError, match=r"newer version: it has 0002_second\.sql"):
        await migrate(empty, [FIRST])


async def test_a_file_slipped_in_before_an_applied_one_is_refused(empty: Connection) -> None:
    await migrate(empty, [SECOND_ALONE])
    with pytest.raises(MigrationError, match="comes before"):
        await migrate(empty, [FIRST, SECOND_ALONE])


SECOND_ALONE = Migration("0002_second.sql", "CREATE TABLE second ();")


async def test_a_failing_file_leaves_nothing_behind(empty: Connection) -> None:
    broken = Migration("0002_broken.sql", "CREATE TABLE third (); SELECT nonsense;")
    with pytest.raises(MigrationError, match=r"0002_broken\.sql: .*nonsense"):
        await migrate(empty, [FIRST, broken])
    assert await tables(empty) == {"first", "schema_migration"}
    assert await migrate(empty, [FIRST, SECOND]) == ["0002_second.sql"]


async def test_killed_between_two_files_or_in_one_the_next_goes_on(
    empty: Connection, empty_database_url: str
) -> None:
    dies = "CREATE TABLE third (); SELECT pg_terminate_backend(pg_backend_pid());"
    killed = await connect(empty_database_url, application_name="test")
    with pytest.raises((*UNAVAILABLE, MigrationError)):
        await migrate(killed, [FIRST, Migration("0002_second.sql", dies)])
    assert await tables(empty) == {"first", "schema_migration"}
    assert await migrate(empty, [FIRST, SECOND]) == ["0002_second.sql"]
    assert await tables(empty) == {"first", "second", "schema_migration"}


async def test_a_file_holds_no_lock_while_the_next_is_applied(
    empty: Connection, empty_database_url: str
) -> None:
    """What the first has locked is free again although the second waits."""
    await empty.execute("CREATE TABLE busy ()")
    reader = await connect(empty_database_url, application_name="test")
    waits = Migration("0002_waits.sql", "ALTER TABLE busy ADD a integer;")
    async with empty.transaction():
        await empty.execute("LOCK TABLE busy IN ACCESS SHARE MODE")
        migrating = asyncio.create_task(migrate(reader, [FIRST, waits]))
        watching = await connect(empty_database_url, application_name="test")
        while not await watching.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            await asyncio.sleep(0)
        assert await watching.fetchval("SELECT count(*) FROM first") == 0
    assert await migrating == ["0001_first.sql", "0002_waits.sql"]
    for connection in (reader, watching):
        await close_connection(connection)


@pytest.mark.parametrize("names", [["1_x.sql"], ["0001_a.sql", "0001_b.sql"], ["0001-x.sql"]])
def test_malformed_names_are_refused(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_text("SELECT 1;")
    with pytest.raises(MigrationError, match="one file per number"):
        migrations_in(tmp_path)
