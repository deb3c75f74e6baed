"""The work on the side: renewed in time, repeated, and none of it stops the others."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from dlr.ledger import apply_receipts, insert_submissions
from dlr.reasons import Reason
from dlr.status import Status
from gateway import maintenance
from gateway.app import Gateway
from gateway.config.load import load_config
from gateway.maintenance import Maintenance, PartitionsAhead, Step
from gateway.vitals import Lease
from storage.database_clock import DatabaseClock
from storage.faults import DatabaseDown
from storage.ids import id_at
from storage.partitions import ensure_partitions
from storage.pool import Connection, Database
from storage.terms import TTL_SECONDS, HostIdentity, OwnerTerm, fence
from tests.dlr.rows import World
from web.edge.keys import hash_of

SOON = 0.01
NEVER = 3_600.0
PATIENCE_SECONDS = 40
LONG_AGO = timedelta(days=40)
KEY = "sk_" + "x" * 43


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(
        database_url, Path("unused"), application_name="test", read_connections=1
    )
    yield database
    await database.close()


class Side:
    """Maintenance of one process, and what it told."""

    def __init__(self, database: Database, term: OwnerTerm, steps: Sequence[Step]) -> None:
        self.lost: list[str] = []
        self.ended: list[str] = []
        self.term = term
        self.lease = Lease(TTL_SECONDS, time.monotonic)
        self.clock = DatabaseClock(lambda: 0, time.monotonic_ns)
        self.work = Maintenance(
            database.dedicated("renew"),
            database.dedicated("maintenance"),
            term=term,
            lease=self.lease,
            clock=self.clock,
            steps=steps,
            lost=self.lost.append,
            ended=self._ended,
        )

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self.ended.append(f"{task.get_name()}: {task.exception()!r}")


async def asked(connection: Connection, _now: datetime) -> None:
    """A step that needs the database, in the middle of a transaction."""
    async with connection.transaction():
        await connection.execute("SELECT 1")


@asynccontextmanager
async def working(database: Database, connection: Connection, *steps: Step) -> AsyncIterator[Side]:
    term = await OwnerTerm.acquire(connection, HostIdentity.current())
    database.use_term(term.term)
    side = Side(database, term, steps)
    side.work.start()
    try:
        yield side
    finally:
        await side.work.stop()


@pytest.fixture
def renewing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "RENEW_SECONDS", SOON)


async def until(connection: Connection, query: str, wanted: object) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await connection.fetchval(query) != wanted:
            await asyncio.sleep(0.005)


async def until_true(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.mark.usefixtures("renewing")
async def test_the_term_is_renewed(connection: Connection, database: Database) -> None:
    async with working(database, connection) as side:
        for _ in range(2):
            await connection.execute("UPDATE owner_term SET expires_at = now()")
            await until(
                connection, "SELECT bool_and(expires_at > now() + '5 s') FROM owner_term", True
            )
        assert side.lost == []


@pytest.mark.usefixtures("renewing")
async def test_a_term_that_was_taken_over_is_told_and_not_renewed(
    connection: Connection, database: Database
) -> None:
    async with working(database, connection, Step("asked", SOON, asked)) as side:
        await fence(connection, side.term.term)
        await until_true(lambda: len(side.lost) == 2)  # by whoever writes next, each once
        assert all(str(side.term.term) in why for why in side.lost)
        ended = "SELECT ended_at IS NOT NULL FROM owner_term"
        assert await connection.fetchval(ended)


@pytest.mark.usefixtures("renewing")
async def test_a_renewal_tells_that_the_database_is_there_and_what_time_it_has(
    connection: Connection, database: Database
) -> None:
    async with working(database, connection) as side:
        side.lease.failed()
        await until_true(lambda: side.lease.database_up)
        assert abs(side.lease.clock_skew) < 1  # one machine
        assert abs(side.clock.now_ms() / 1000 - time.time()) < 1, "and not what its own clock says"
        assert TTL_SECONDS - 5 < side.lease.seconds_left() <= TTL_SECONDS


async def test_a_day_that_cannot_be_made_is_counted_as_missing(connection: Connection) -> None:
    ahead, now = PartitionsAhead(), datetime.now(UTC)
    await ahead.turn(connection, now)
    assert ahead.missing == 0
    await connection.execute(f"DROP TABLE click_{now:%Y%m%d}")
    await connection.execute(f"CREATE TABLE click_{now:%Y%m%d} ()")  # in the way
    with pytest.raises(asyncpg.DuplicateTableError):
        await ahead.turn(connection, now)
    assert ahead.missing == 1
    await connection.execute(f"DROP TABLE click_{now:%Y%m%d}")
    await ahead.turn(connection, now)
    assert ahead.missing == 0


async def test_each_step_is_taken_again_and_again_and_never_two_at_once(
    connection: Connection, database: Database
) -> None:
    seen: Counter[str] = Counter()
    running: set[str] = set()

    def step(name: str) -> Step:
        async def take(own: Connection, now: datetime) -> None:
            assert not running  # they share a connection
            assert not own.is_in_transaction()  # a partition is detached concurrently in none
            assert abs(now - datetime.now(UTC)) < timedelta(minutes=1)
            running.add(name)
            await asyncio.sleep(0)
            running.remove(name)
            seen[name] += 1

        return Step(name, SOON, take)

    async with working(database, connection, step("a"), step("b")) as side:
        await until_true(lambda: bool(side.ended) or min(seen["a"], seen["b"]) >= 3)
        assert side.ended == []


async def test_a_database_that_is_away_for_one_step_is_there_for_the_next(
    connection: Connection, database: Database
) -> None:
    failures: list[BaseException] = [DatabaseDown("away"), ConnectionResetError(), TimeoutError()]
    worked: list[bool] = []

    async def recover(_connection: Connection, _now: datetime) -> None:
        if failures:
            raise failures.pop()
        worked.append(True)

    async with working(database, connection, Step("recover", SOON, recover)) as side:
        await until_true(lambda: bool(worked))
        assert side.ended == []


@pytest.mark.usefixtures("renewing")
async def test_its_sessions_may_be_lost_at_any_time(
    connection: Connection, database: Database
) -> None:
    """In the middle of a transaction, too: asyncpg has a name of its own for each moment."""
    sessions = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE application_name LIKE 'smsgate:%' AND datname = current_database()"
    )
    async with working(database, connection, Step("asked", SOON, asked)) as side:
        for _ in range(6):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not side.ended and await connection.fetchval(sessions) < 2:
                    await asyncio.sleep(0.002)
            assert side.ended == []
            await connection.execute(
                "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity"
                " WHERE application_name LIKE 'smsgate:%' AND datname = current_database()"
            )
        await connection.execute("UPDATE owner_term SET expires_at = now()")
        await until(connection, "SELECT expires_at > now() + '5 s' FROM owner_term", True)
        assert (side.lost, side.ended) == ([], [])


async def left_behind(connection: Connection) -> None:
    """Something for each step of a running gateway."""
    world = World()
    now = world.now
    today = now.date()
    await connection.execute(f"DROP TABLE message_{today + timedelta(days=2):%Y%m%d}")
    await ensure_partitions(connection, today - timedelta(days=500), 0)
    world.wait(seconds=-10)
    dead = world.receipt("c1", Status.UNDELIVERED, reason=Reason.NUMBER_UNKNOWN, error="MK:0001")
    unclear = world.receipt("c2", Status.UNDELIVERED)
    unclear.unknown_state = "VANISHED"
    await apply_receipts(connection, [dead, unclear], world.ids)
    for carrier_id in ("c1", "c2"):
        message = await world.message(connection)
        await insert_submissions(connection, [world.part(carrier_id, message_id=message)])
    expired = await world.message(connection)
    await connection.execute(
        "INSERT INTO outbox (id, owner, connector, category, account, parts, expires_at)"
        " VALUES ($1, 0, 7, 1, 1, 1, now() - interval '1 minute')",
        expired,
    )
    earlier = World()  # an id is never below the one before
    earlier.wait(hours=-80)
    await ensure_partitions(connection, earlier.now.date())
    await insert_submissions(connection, [earlier.part("silent")])
    over = id_at(now - LONG_AGO)
    await connection.execute("INSERT INTO client_ref VALUES (1, 'over', $1)", over)
    await connection.execute(
        "INSERT INTO idempotency (account, endpoint, key, fingerprint, owner, first_id)"
        " VALUES (1, 'e', 'over', '', 0, $1)",
        over,
    )
    await connection.execute(
        "INSERT INTO link_range (first_seq, slots, message_ids, targets, target_index, expires_at)"
        " VALUES (16384, 1, '{1}', '{https://example.com}', '{1}', $1)",
        now - LONG_AGO,
    )
    await connection.execute(
        "INSERT INTO frequency (account, category, to_idx, message_ids, sent_at)"
        " VALUES (1, 3, '', '{1}', $1)",
        [int((now - LONG_AGO).timestamp() * 1000)],
    )


async def test_a_running_gateway_takes_every_step(
    connection: Connection, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [each for each in vars(maintenance) if each.endswith("_SECONDS")]:
        monkeypatch.setattr(maintenance, name, SOON)
    await left_behind(connection)
    path = tmp_path / "smsgate.toml"
    path.write_text(
        f'[database]\nurl = "{database_url}"\ndata_dir = "{tmp_path}"\n'
        '[http]\nlisten = "127.0.0.1:0"\n[links]\nlisten = "127.0.0.1:0"\n'
        '[[accounts]]\nname = "site"\n'
    )
    gateway = Gateway(load_config(path, {}))
    try:
        await gateway.start()
        rooms = gateway.rooms
        await connection.execute(
            "INSERT INTO api_key (account, name, key_hash, scopes) SELECT id, 'k', $1, '{}'"
            " FROM account WHERE name = 'site'",
            hash_of(KEY),
        )
        key_hash = hash_of(KEY)
        assert key_hash is not None
        assert await rooms.key_store.find(key_hash) is not None
        dead = "SELECT status FROM submission WHERE carrier_id = 'c1'"
        for query, wanted in {
            "SELECT count(*) FROM client_ref": 0,
            "SELECT count(*) FROM idempotency": 0,
            "SELECT count(*) FROM link_range": 0,
            "SELECT count(*) FROM frequency": 0,
            "SELECT count(*) FROM outbox": 0,
            "SELECT status FROM submission WHERE carrier_id = 'silent'": Status.UNKNOWN,
            dead: Status.UNDELIVERED,
            "SELECT count(*) FROM suppression": 1,  # proof is proof here too
            "SELECT count(*) FROM event WHERE kind = 'receipt_unknown_state'": 1,
            "SELECT last_used_at IS NOT NULL FROM api_key": True,
            "SELECT bool_and(done) FROM index_rewrite": True,
            f"SELECT to_regclass('{ahead()}') IS NOT NULL": True,
            f"SELECT to_regclass('{kept_for_long()}') IS NULL": True,
        }.items():
            await until(connection, query, wanted)
        await until_true(lambda: (rooms.parked.joined, rooms.expiry.expired) == (2, 1))
    finally:
        await gateway.stop()
    assert not gateway.lost.done()


def ahead() -> str:
    return f"message_{datetime.now(UTC).date() + timedelta(days=2):%Y%m%d}"


def kept_for_long() -> str:
    return f"message_{datetime.now(UTC).date() - timedelta(days=500):%Y%m%d}"
