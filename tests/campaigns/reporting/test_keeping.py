"""Turns of the keeper: which batches are due, and what happens to them in the end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from campaigns.reporting.keeping import CLOSES_AFTER, SumsKeeper
from storage import sql
from storage.ids import id_at
from tests.campaigns.running.shop import Shop, shopping


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    async with shopping(database_url) as built:
        yield built


class Clock:
    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def ms(self) -> int:
        return int(self.now.timestamp() * 1000)


def keeper(shop: Shop, clock: Clock, name: str = "sums") -> SumsKeeper:
    return SumsKeeper(
        shop.world.database.dedicated(name),
        counter=shop.counter,
        wall_ms=clock.ms,
        ended=lambda task: None,
    )


async def batches(shop: Shop) -> list[tuple[bool, bool]]:
    rows = await shop.connection.fetch(
        "SELECT counted_at IS NOT NULL AS counted, closed FROM campaign_stat_batch ORDER BY batch"
    )
    return [(row["counted"], row["closed"]) for row in rows]


async def test_a_batch_is_counted_the_less_often_the_older_it_is(shop: Shop) -> None:
    await shop.people(20)
    await shop.running()
    await shop.feed.turn()
    clock = Clock()
    keeping = keeper(shop, clock)
    assert await batches(shop) == [(False, False)]
    await keeping.turn()
    assert (keeping.counted, await batches(shop)) == (1, [(True, False)])
    await keeping.turn()
    assert keeping.counted == 1, "it was counted just now"
    clock.now += timedelta(seconds=61)
    await keeping.turn()
    assert keeping.counted == 2
    clock.now += timedelta(hours=20)
    await keeping.turn()
    clock.now += timedelta(minutes=30)
    await keeping.turn()
    assert keeping.counted == 3, "half an hour is less than a twentieth of its age"
    clock.now += timedelta(hours=1)
    await keeping.turn()
    assert keeping.counted == 4


async def test_a_batch_is_closed_once_nothing_changes_it(shop: Shop) -> None:
    await shop.people(20)
    await shop.running()
    await shop.feed.turn()
    await shop.deliver()
    clock = Clock()
    clock.now += CLOSES_AFTER + timedelta(minutes=1)
    keeping = keeper(shop, clock)
    await keeping.turn()
    assert await batches(shop) == [(True, True)]
    counts = await shop.connection.fetchval("SELECT counts FROM campaign_stat")
    assert counts["delivered"] == 20
    clock.now += timedelta(days=30)
    await keeping.turn()
    assert keeping.counted == 1


async def test_two_processes_count_each_batch_once(shop: Shop) -> None:
    """A batch that one counts is left to it by the other."""
    await shop.people(20)
    await shop.running()
    await shop.feed.turn()
    clock = Clock()
    async with shop.connection.transaction():
        await shop.connection.execute("SELECT FROM campaign_stat_batch FOR UPDATE")
        other = keeper(shop, clock, "other")
        await other.turn()
        assert other.counted == 0
    await other.turn()
    assert other.counted == 1


async def test_sums_are_purged_with_their_campaigns(shop: Shop) -> None:
    await shop.people(20)
    campaign = await shop.running()
    await shop.feed.turn()
    await keeper(shop, Clock()).turn()
    for table in ("campaign_stat", "campaign_stat_batch"):
        purge = sql.load("campaigns")[f"{table}_purge"]
        assert await shop.connection.execute(purge, campaign, 100) == "DELETE 0"
        later = id_at(datetime.now(UTC) + timedelta(days=1))
        assert await shop.connection.execute(purge, later, 100) == "DELETE 1"
