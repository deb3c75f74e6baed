"""Changes over one connection: one after the other, and no more than may wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.faults import Overloaded, StorageDown
from storage.pool import Database
from storage.turns import Turns


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url, Path("/nowhere"), application_name="smsgate")
    yield database
    await database.close()


async def test_one_has_its_turn_when_the_one_before_is_committed(database: Database) -> None:
    turns = Turns(database.dedicated("turns"), 2)
    seen: list[int] = []

    async def change() -> None:
        async with turns.one() as connection:
            seen.append(await connection.fetchval("SELECT count(*) FROM made"))
            await connection.execute("INSERT INTO made VALUES (1)")
            await asyncio.sleep(0)

    async with turns.one() as connection:
        await connection.execute("CREATE TEMP TABLE made (n integer)")
    await asyncio.gather(change(), change())
    assert seen == [0, 1]


async def test_beyond_those_that_may_wait_there_is_no_turn(database: Database) -> None:
    turns = Turns(database.dedicated("turns"), 1)
    with pytest.raises(ZeroDivisionError):
        async with turns.one():
            with pytest.raises(Overloaded):
                async with turns.one():
                    pytest.fail("one more than may")
            raise ZeroDivisionError
    async with turns.one() as connection:
        assert await connection.fetchval("SELECT 1") == 1, "a place that is free again"


async def test_without_a_database_a_caller_is_told_so(database: Database) -> None:
    dedicated = database.dedicated("turns")
    await dedicated.close()
    with pytest.raises(StorageDown):
        async with Turns(dedicated, 1).one():
            pytest.fail("there is no connection")
