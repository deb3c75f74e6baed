"""Connections: reconnecting, refusals in one line, and the fence of an ended term."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from storage import pool, reads
from storage.faults import TRANSIENT, DatabaseDown, DatabaseUnusable, Fenced, is_transient
from storage.pool import Database, Dedicated, close_connection, connect
from storage.terms import HostIdentity, OwnerTerm, fence
from storage.transactions import CleanConnection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from storage.pool import Connection


PATIENCE_SECONDS = 30.0


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url, Path("/nowhere"), application_name="smsgate")
    yield database
    await database.close()


async def terminate(connection: Connection, application_name: str) -> int:
    """Ends the sessions of that name and waits until they are gone; returns how many there were."""
    count: int = await connection.fetchval(
        "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = $1",
        application_name,
    )
    return count


async def lost(dedicated: Dedicated) -> None:
    """Returns once the client side has noticed that its connection is gone."""
    connection = await dedicated.connection()
    noticed = asyncio.Event()
    connection.add_termination_listener(lambda _connection: noticed.set())
    with pytest.raises((*TRANSIENT, asyncpg.InterfaceError)):
        await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    await noticed.wait()


async def test_what_was_given_up_lets_go_of_its_locks(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server still runs the statement, and would for an hour."""
    monkeypatch.setattr(pool, "DEDICATED_STATEMENT_SECONDS_MAX", 0.2)
    dedicated = database.dedicated("rollups")
    with pytest.raises(DatabaseDown):
        async with dedicated.guarded() as connection:
            await connection.execute("SELECT pg_advisory_lock(1), pg_sleep(3600)")
    beside = await connect(database_url, application_name="test")
    async with asyncio.timeout(PATIENCE_SECONDS):
        await beside.execute("SELECT pg_advisory_lock(1)")
    await close_connection(beside)


async def test_connections_are_named_by_role_and_term(database: Database) -> None:
    name = "SELECT current_setting('application_name')"
    assert await (await database.dedicated("lease").connection()).fetchval(name) == "smsgate:lease"
    term = await acquire(database)
    database.use_term(term)
    connection = await database.dedicated("accept").connection()
    assert await connection.fetchval(name) == f"smsgate:{term}:accept"
    assert await database.read.fetchval(name) == "smsgate:read"


async def test_the_read_pool_cannot_write_and_has_a_time_limit(database: Database) -> None:
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await database.read.execute("INSERT INTO account (name) VALUES ('x')")
    assert await database.read.fetchval("SHOW statement_timeout") == "14500ms"


async def test_days_have_24_hours_whatever_zone_the_server_has(
    database_url: str, connection: Connection
) -> None:
    """There a day has an hour more when the clocks go back, and text the zone's offset."""
    name = await connection.fetchval("SELECT current_database()")
    await connection.execute(f"ALTER DATABASE {name} SET timezone = 'America/St_Johns'")
    database = await Database.open(database_url, Path("/nowhere"), application_name="smsgate")
    look = (
        "SELECT timestamptz '2027-11-07T04:00Z' + interval '1 day', to_jsonb(timestamptz 'epoch')"
    )
    for each in (database.read, await database.dedicated("accept").connection()):
        row = await each.fetchrow(look)
        assert row is not None
        later, text = row
        assert later.isoformat() == "2027-11-08T04:00:00+00:00"
        assert text == "1970-01-01T00:00:00+00:00"
    await database.close()


async def test_a_dedicated_connection_is_kept(database: Database) -> None:
    dedicated = database.dedicated("accept")
    assert await dedicated.connection() is await dedicated.connection()


async def test_callers_at_once_share_one_new_connection(database: Database) -> None:
    dedicated = database.dedicated("accept")
    first, second = await asyncio.gather(dedicated.connection(), dedicated.connection())
    assert first is second


async def test_a_lost_connection_is_replaced(database: Database) -> None:
    dedicated = database.dedicated("accept")
    before = await dedicated.connection()
    await lost(dedicated)
    after = await dedicated.connection()
    assert after is not before
    assert await after.fetchval("SELECT 1") == 1


async def test_a_connection_lost_in_a_transaction_is_database_down(
    database: Database, connection: Connection
) -> None:
    dedicated = database.dedicated("accept")
    with pytest.raises(DatabaseDown):
        async with dedicated.transaction() as used:
            await used.execute("INSERT INTO account (name) VALUES ('half')")
            assert await terminate(connection, "smsgate:accept") == 1
            await used.execute("INSERT INTO account (name) VALUES ('done')")
    assert await connection.fetchval("SELECT count(*) FROM account") == 0
    async with dedicated.transaction() as used:
        await used.execute("INSERT INTO account (name) VALUES ('again')")
    assert await connection.fetchval("SELECT count(*) FROM account") == 1


async def test_an_error_that_is_ours_stays_what_it_is(database: Database) -> None:
    dedicated = database.dedicated("accept")
    with pytest.raises(asyncpg.UndefinedTableError):
        async with dedicated.transaction() as used:
            await used.execute("INSERT INTO nowhere VALUES (1)")
    assert not (await dedicated.connection()).is_closed()


async def test_attempts_while_down_are_spaced(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "RECONNECT_SECONDS_MIN", 3600.0)
    monkeypatch.setattr(pool, "RECONNECT_SECONDS_MAX", 3600.0)
    reachable, database.url = database.url, "postgresql://x@127.0.0.1:1/x"
    dedicated = database.dedicated("accept")
    with pytest.raises(DatabaseDown, match="cannot connect"):
        await dedicated.connection()
    database.url = reachable
    with pytest.raises(DatabaseDown, match="trying again soon"):
        await dedicated.connection()


async def test_after_the_backoff_it_connects_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "RECONNECT_SECONDS_MIN", 0.0)
    monkeypatch.setattr(pool, "RECONNECT_SECONDS_MAX", 0.0)
    reachable, database.url = database.url, "postgresql://x@127.0.0.1:1/x"
    dedicated = database.dedicated("accept")
    for _attempt in range(2):
        with pytest.raises(DatabaseDown, match="cannot connect"):
            await dedicated.connection()
    database.url = reachable
    assert await (await dedicated.connection()).fetchval("SELECT 1") == 1


async def test_a_closed_one_stays_closed(database: Database) -> None:
    dedicated = database.dedicated("accept")
    connection = await dedicated.connection()
    await dedicated.close()
    assert connection.is_closed()
    with pytest.raises(DatabaseDown, match="closed by us"):
        await dedicated.connection()


async def acquire(database: Database) -> int:
    connection = await database.dedicated("lease").connection()
    return (await OwnerTerm.acquire(connection, HostIdentity.current())).term


async def test_an_ended_term_gets_no_connection(database: Database, connection: Connection) -> None:
    term = await acquire(database)
    database.use_term(term)
    dedicated = database.dedicated("accept")
    old = await dedicated.connection()
    await fence(connection, term)
    with pytest.raises((*TRANSIENT, asyncpg.InterfaceError)) as caught:
        await old.execute("SELECT 1")
    assert is_transient(caught.value)
    with pytest.raises(Fenced, match=f"owner term {term} has ended"):
        await dedicated.connection()
    assert not issubclass(Fenced, TRANSIENT)


@pytest.mark.parametrize(
    ("netloc", "path", "error", "complaint"),
    [
        ("x@127.0.0.1:1", "/x", DatabaseDown, "cannot connect"),
        (None, "/no_such_database", DatabaseUnusable, "does not exist"),
        ("smsgate:wrong@", None, DatabaseUnusable, "password"),
    ],
)
async def test_who_must_act_is_told_in_one_line(
    database_url: str,
    netloc: str | None,
    path: str | None,
    error: type[Exception],
    complaint: str,
) -> None:
    parts = urlsplit(database_url)
    if netloc is not None and netloc.endswith("@"):
        netloc = f"{parts.username}:wrong@{parts.netloc.rpartition('@')[2]}"
    url = urlunsplit(parts._replace(netloc=netloc or parts.netloc, path=path or parts.path))
    if netloc is not None and path is not None:
        url = url.partition("?")[0]
    with pytest.raises(error, match=complaint) as raised:
        await Database.open(url, Path("/nowhere"), application_name="smsgate")
    assert "\n" not in str(raised.value)


async def test_a_malformed_url_is_the_operators(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnusable):
        await Database.open("mysql://x", tmp_path, application_name="smsgate")


async def test_too_old_a_server_is_refused(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "SERVER_VERSION_MIN", 99)
    with pytest.raises(DatabaseUnusable, match="too old: smsgate needs 99 or later"):
        await connect(database_url, application_name="test")


async def test_close_does_not_wait_for_a_report_for_ever(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "CONNECT_SECONDS_MAX", 0.2)
    database = await Database.open(database_url, Path("/nowhere"), application_name="smsgate")
    report = asyncio.create_task(database.read.execute("SELECT pg_sleep(60)"))
    watcher = await connect(database_url, application_name="test")
    while not await watcher.fetchval(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND query LIKE 'SELECT pg_sleep%'"
    ):
        pass
    await close_connection(watcher)
    await database.close()
    with pytest.raises((*TRANSIENT, asyncpg.InterfaceError)):
        await report


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (DatabaseDown(), True),
        (asyncpg.DeadlockDetectedError(), True),
        (asyncpg.DiskFullError(), True),
        (asyncpg.CannotConnectNowError(), True),
        (asyncpg.InterfaceError("connection is closed"), True),
        (asyncpg.InternalClientError("got result for unknown protocol state 3"), True),
        (ConnectionRefusedError(), True),
        (FileNotFoundError(2, "No such file or directory"), True),
        (FileNotFoundError(2, "No such file or directory", "/a/file"), False),
        (asyncpg.InterfaceError("another operation is in progress"), False),
        (asyncpg.UniqueViolationError(), False),
        (asyncpg.QueryCanceledError(), False),
        (Fenced(), False),
        (DatabaseUnusable(), False),
    ],
)
def test_what_may_be_tried_again(error: BaseException, again: bool) -> None:
    assert is_transient(error) is again


@pytest.mark.parametrize("fails", ["BEGIN", "COMMIT", "ROLLBACK"])
async def test_a_canceled_statement_around_a_transaction_costs_only_its_connection(
    database: Database, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    """Left as asyncpg leaves it, every later transaction would be a savepoint in nothing."""
    real = CleanConnection.execute

    async def execute(self: CleanConnection, query: str) -> str:
        if query.startswith(fails):
            raise asyncpg.QueryCanceledError("canceling statement due to user request")
        return await real(self, query)

    dedicated = database.dedicated("record")
    await dedicated.connection()
    monkeypatch.setattr(CleanConnection, "execute", execute)
    with pytest.raises((DatabaseDown, RuntimeError)):
        async with dedicated.transaction() as connection:
            await connection.fetchval("SELECT 1")
            if fails == "ROLLBACK":
                raise RuntimeError("something else")
    monkeypatch.undo()
    async with dedicated.transaction() as connection:
        await connection.execute("CREATE TEMP TABLE there (id int) ON COMMIT DROP")
        async with connection.transaction():
            await connection.execute("INSERT INTO there VALUES (1)")
        assert await connection.fetchval("SELECT count(*) FROM there") == 1


async def test_a_transaction_that_fails_inside_keeps_its_connection(database: Database) -> None:
    dedicated = database.dedicated("record")
    before = await dedicated.connection()
    with pytest.raises(asyncpg.DivisionByZeroError):
        async with dedicated.transaction() as connection:
            await connection.fetchval("SELECT 1 / 0")
    assert await dedicated.connection() is before


@contextlib.asynccontextmanager
async def standing_still(pid: int) -> AsyncIterator[None]:
    """This backend neither works nor dies, as on a machine that hangs."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


async def one_reader(url: str, monkeypatch: pytest.MonkeyPatch, seconds: float) -> Database:
    monkeypatch.setattr(reads, "READ_SECONDS_MAX", seconds)
    monkeypatch.setattr(reads, "FREE_SECONDS_MAX", 0.2)
    return await Database.open(
        url, Path("/nowhere"), application_name="smsgate", read_connections=1
    )


async def test_o7_a_read_that_is_never_answered_ends_and_its_connection_is_replaced(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = await one_reader(database_url, monkeypatch, 0.3)
    try:
        pid = await database.read.fetchval("SELECT pg_backend_pid()")
        async with standing_still(pid), asyncio.timeout(PATIENCE_SECONDS):
            with pytest.raises(TimeoutError):
                await database.read.fetchval("SELECT 1")
            assert await answered(database) != pid
    finally:
        await database.close()


async def test_o7_a_read_whose_caller_is_gone_holds_up_nobody(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = await one_reader(database_url, monkeypatch, 3600.0)
    try:
        pid = await database.read.fetchval("SELECT pg_backend_pid()")
        async with standing_still(pid), asyncio.timeout(PATIENCE_SECONDS):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await database.read.fetchval("SELECT 1")
            assert await answered(database) != pid
    finally:
        await database.close()


async def answered(database: Database) -> int:
    """The backend that answers once the only connection is free again."""
    while True:
        try:
            pid: int = await database.read.fetchval("SELECT pg_backend_pid()")
        except TimeoutError:
            continue
        return pid
