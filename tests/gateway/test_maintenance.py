"""The work on the side: renewed in time, repeated, and none of it stops the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from dlr import ledger
from dlr.ledger import MATCH_DAYS, apply_receipts, insert_submissions
from dlr.reasons import Reason
from dlr.receipt_rows import Parties
from dlr.status import Status
from gateway import maintenance
from gateway.maintenance import Maintenance, Step
from storage.faults import DatabaseDown
from storage.partitions import ensure_partitions
from storage.pool import Connection, Database
from storage.terms import HostIdentity, OwnerTerm, fence
from tests.dlr.rows import World

SOON = 0.01
NEVER = 3_600.0
PATIENCE_SECONDS = 40
PACES = (
    "RENEW_SECONDS", "RECOVER_SECONDS", "SWEEP_SECONDS", "PARTITION_SECONDS", "GIVE_UP_SECONDS",
    "LINKS_SECONDS", "REQUESTS_SECONDS", "RETENTION_SECONDS",
)  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test says what it wants to see run."""
    for name in PACES:
        monkeypatch.setattr(maintenance, name, NEVER)
    monkeypatch.setattr(maintenance, "SWEEP_MINIMUM_AGE", timedelta(0))


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda name: monkeypatch.setattr(maintenance, name, SOON)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(
        database_url, Path("unused"), application_name="test", read_connections=1
    )
    yield database
    await database.close()


class Side:
    """Maintenance of one process, and what it told."""

    def __init__(self, database: Database, term: OwnerTerm, recover: Step, retain: Step) -> None:
        self.lost: list[str] = []
        self.ended: list[str] = []
        self.term = term
        self.work = Maintenance(
            database.dedicated("renew"),
            database.dedicated("maintenance"),
            term=term,
            ids=World().ids,
            unknown_after_hours=72,
            recover=recover,
            retain=retain,
            key_uses=retain,
            lost=self.lost.append,
            ended=self._ended,
        )

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self.ended.append(f"{task.get_name()}: {task.exception()!r}")


async def nothing_to_recover(_connection: Connection) -> None:
    """Nobody died."""


@asynccontextmanager
async def working(
    database: Database,
    connection: Connection,
    recover: Step = nothing_to_recover,
    retain: Step = nothing_to_recover,
) -> AsyncIterator[Side]:
    term = await OwnerTerm.acquire(connection, HostIdentity.current())
    database.use_term(term.term)
    side = Side(database, term, recover, retain)
    side.work.start()
    try:
        yield side
    finally:
        await side.work.stop()


async def until(connection: Connection, query: str, wanted: object) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await connection.fetchval(query) != wanted:
            await asyncio.sleep(0.005)


async def until_true(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.005)


async def test_the_term_is_renewed(
    connection: Connection, database: Database, soon: Callable[[str], None]
) -> None:
    soon("RENEW_SECONDS")
    async with working(database, connection) as side:
        for _ in range(2):
            await connection.execute("UPDATE owner_term SET expires_at = now()")
            await until(
                connection, "SELECT bool_and(expires_at > now() + '5 s') FROM owner_term", True
            )
        assert side.lost == []


async def test_a_term_that_was_taken_over_is_told_and_not_renewed(
    connection: Connection, database: Database, soon: Callable[[str], None]
) -> None:
    soon("RENEW_SECONDS")
    soon("SWEEP_SECONDS")
    async with working(database, connection) as side:
        await fence(connection, side.term.term)
        await until_true(lambda: len(side.lost) == 2)  # by whoever writes next, each once
        assert all(str(side.term.term) in why for why in side.lost)
        ended = "SELECT ended_at IS NOT NULL FROM owner_term"
        assert await connection.fetchval(ended)


async def test_partitions_are_made_ahead(
    connection: Connection, database: Database, soon: Callable[[str], None]
) -> None:
    today = datetime.now(UTC).date()
    days = [today + timedelta(days=ahead) for ahead in range(4)]
    for day in days[2:]:
        await connection.execute(f"DROP TABLE {partition(day)}")
    soon("PARTITION_SECONDS")
    async with working(database, connection):
        for day in days:
            await until(connection, f"SELECT to_regclass('{partition(day)}') IS NOT NULL", True)


def partition(day: date) -> str:
    return f"message_{day:%Y%m%d}"


async def test_receipts_that_two_sessions_missed_are_joined(
    connection: Connection, database: Database, soon: Callable[[str], None]
) -> None:
    """One parks the receipt while the other commits the result; and proof is proof here too."""
    world = World()
    world.wait(seconds=-5)
    message = await world.message(connection)
    dead = world.receipt("c1", Status.UNDELIVERED, reason=Reason.NUMBER_UNKNOWN, error="MK:0001")
    await apply_receipts(connection, [dead], world.ids)
    await insert_submissions(connection, [world.part("c1", message_id=message)])
    soon("SWEEP_SECONDS")
    async with working(database, connection) as side:
        await until(connection, "SELECT status FROM submission", Status.UNDELIVERED)
        assert await connection.fetchval("SELECT count(*) FROM unmatched_receipt") == 0
        assert await connection.fetchval("SELECT message_id FROM suppression") == message
        await until_true(lambda: side.work.joined == 1)
        assert side.work.final == {(dead.connector, Status.UNDELIVERED): 1}


async def test_e33_a_receipt_of_a_submit_that_was_never_answered_ends_the_doubt(
    connection: Connection, database: Database, soon: Callable[[str], None]
) -> None:
    world = World()
    world.wait(seconds=-70)
    message = await world.message(connection, recipient=9)
    part = world.part(message_id=message, status=Status.UNCONFIRMED)
    await insert_submissions(connection, [part])
    receipt = world.receipt("c1")
    receipt.parties = lambda: Parties((9).to_bytes(16, "big"), "S")
    await apply_receipts(connection, [receipt], world.ids)
    soon("SWEEP_SECONDS")
    async with working(database, connection) as side:
        await until(connection, "SELECT status FROM submission", Status.DELIVERED)
        await until_true(lambda: side.work.joined == 1)
        assert side.work.final == {(receipt.connector, Status.DELIVERED): 1}


async def test_one_turn_joins_however_many_were_parked(
    connection: Connection,
    database: Database,
    soon: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two gateways on one carrier park most receipts; 500 in 5 s would leave them hours behind."""
    for owner in (ledger, maintenance):
        monkeypatch.setattr(owner, "SWEEP_ROWS_MAX", 2)
    joined_by_turn: list[int] = []

    async def purge_unmatched(_connection: Connection, _now: datetime) -> int:
        joined_by_turn.append(side.work.joined)
        return 0

    monkeypatch.setattr(maintenance, "purge_unmatched", purge_unmatched)
    world = World()
    world.wait(seconds=-5)
    carrier_ids = [f"c{number}" for number in range(5)]
    await apply_receipts(connection, [world.receipt(each) for each in carrier_ids], world.ids)
    await insert_submissions(connection, [world.part(each) for each in carrier_ids])
    soon("SWEEP_SECONDS")
    async with working(database, connection) as side:
        await until_true(lambda: bool(joined_by_turn))
    assert joined_by_turn[0] == 5


async def test_receipts_that_belong_to_nobody_are_purged_in_the_end(
    connection: Connection, database: Database, soon: Callable[[str], None]
) -> None:
    world = World()
    await apply_receipts(connection, [world.receipt("young")], world.ids)
    world = World()
    world.wait(days=-MATCH_DAYS, minutes=-1)
    await apply_receipts(connection, [world.receipt("old")], world.ids)
    soon("SWEEP_SECONDS")
    async with working(database, connection) as side:
        await until(connection, "SELECT count(*) FROM unmatched_receipt", 1)
        await until_true(lambda: side.work.purged == 1)
    assert await connection.fetchval("SELECT carrier_id FROM unmatched_receipt") == "young"


async def test_silence_for_days_is_unknown_and_is_looked_at_again(
    connection: Connection, database: Database, soon: Callable[[str], None]
) -> None:
    young = World().part("young")
    world = World()
    world.wait(hours=-72, minutes=-5)
    await ensure_partitions(connection, world.now.date())
    old = world.part("old")
    world.wait(minutes=1)
    delivered = world.part("delivered", status=Status.DELIVERED)
    await insert_submissions(connection, [young, old, delivered])
    soon("GIVE_UP_SECONDS")
    status = "SELECT status FROM submission WHERE carrier_id = '{}'"
    async with working(database, connection) as side:
        await until(connection, status.format("old"), Status.UNKNOWN)
        assert await connection.fetchval(status.format("young")) == Status.SENT
        assert await connection.fetchval(status.format("delivered")) == Status.DELIVERED
        world.wait(minutes=1)
        await insert_submissions(connection, [world.part("next")])
        await until(connection, status.format("next"), Status.UNKNOWN)
        await until_true(lambda: side.work.unknown == 2)


async def test_what_others_left_and_what_is_old_is_looked_at_again_and_again(
    connection: Connection, database: Database, soon: Callable[[str], None]
) -> None:
    seen: list[Connection] = []
    outside: list[bool] = []

    async def recover(own: Connection) -> None:
        seen.append(own)

    async def retain(own: Connection) -> None:
        outside.append(not own.is_in_transaction())

    soon("RECOVER_SECONDS")
    soon("RETENTION_SECONDS")
    async with working(database, connection, recover, retain):
        await until_true(lambda: len(seen) >= 3 and len(outside) >= 3)
    assert all(outside)  # a partition is detached concurrently in none


async def test_a_database_that_is_away_for_one_step_is_there_for_the_next(
    connection: Connection, database: Database, soon: Callable[[str], None]
) -> None:
    failures: list[BaseException] = [DatabaseDown("away"), ConnectionResetError(), TimeoutError()]
    worked: list[bool] = []

    async def recover(_connection: Connection) -> None:
        if failures:
            raise failures.pop()
        worked.append(True)

    soon("RECOVER_SECONDS")
    async with working(database, connection, recover) as side:
        await until_true(lambda: bool(worked))
        assert side.ended == []


async def test_its_sessions_may_be_lost_at_any_time(
    connection: Connection, database: Database, soon: Callable[[str], None]
) -> None:
    """In the middle of a transaction, too: asyncpg has a name of its own for each moment."""
    soon("RENEW_SECONDS")
    soon("SWEEP_SECONDS")
    sessions = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE application_name LIKE 'smsgate:%' AND datname = current_database()"
    )
    async with working(database, connection) as side:
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
