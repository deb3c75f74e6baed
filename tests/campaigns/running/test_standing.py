"""C8: a campaign that stands still says what it waits for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from campaigns.running.standing import Waiting, WaitsFor
from dispatch.holds import Hold
from tests.campaigns.running.shop import AUTHOR, OTHER, Shop, shopping


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    async with shopping(database_url) as shop:
        yield shop


async def waits(shop: Shop, campaign: int) -> WaitsFor | None:
    found = await shop.desk.standing.waiting(await shop.one(campaign))
    return None if found is None else found.what


async def test_c8_from_its_start_to_its_end_each_wait_has_its_word(shop: Shop) -> None:
    """C8: the canary, the hours, receipts; what moves waits for nothing."""
    await shop.people(450)
    campaign = await shop.ready()
    assert await waits(shop, campaign) is None, "it is not under way"
    assert await shop.desk.start(OTHER, campaign, 450) is not None
    await shop.connection.execute("UPDATE campaign SET started_at = now() + interval '1 h'")
    assert await waits(shop, campaign) is WaitsFor.START
    await shop.connection.execute("UPDATE campaign SET started_at = now() - interval '1 s'")
    assert await waits(shop, campaign) is None, "it is about to be fed"
    await shop.feed.turn()
    assert await waits(shop, campaign) is None, "200 are due"
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=3)
    await shop.connection.execute(
        "UPDATE outbox SET not_before = $1, hold = $2", until, Hold.SEND_WINDOW
    )
    assert await shop.desk.standing.waiting(await shop.one(campaign)) == Waiting(
        what=WaitsFor.WINDOW_CLOSED, until=until, detail="send_window"
    )
    await shop.connection.execute("UPDATE outbox SET hold = $1", Hold.FREQUENCY_GAP)
    assert await waits(shop, campaign) is WaitsFor.HELD
    await shop.deliver(status=30)
    assert await waits(shop, campaign) is WaitsFor.CANARY_VERDICT
    await shop.connection.execute("UPDATE submission SET status = 60")
    await shop.watch.look()
    await shop.feed.turn()
    await shop.deliver(status=30)
    assert await waits(shop, campaign) is WaitsFor.RECEIPTS
    await shop.connection.execute("UPDATE submission SET status = 60")
    await shop.watch.look()
    assert await waits(shop, campaign) is None, "it is finished"


async def test_c8_slots_rates_connectors_and_room_have_theirs(shop: Shop) -> None:
    """C8: each is told with what is known of it."""
    await shop.people(20)
    slow = await shop.running(schedule={"spread": "PT20M"})
    await shop.feed.turn()
    await shop.deliver()
    started = (await shop.one(slow)).started_at
    assert started is not None
    assert await shop.desk.standing.waiting(await shop.one(slow)) == Waiting(
        what=WaitsFor.SLOT, until=started + timedelta(minutes=1)
    )
    paced = await shop.running(schedule={"rate": 1})
    await shop.connection.execute(
        "UPDATE campaign SET paced_at = now() + interval '1 h' WHERE id = $1", paced
    )
    assert await waits(shop, paced) is WaitsFor.RATE
    other = await shop.running()
    await shop.feed.turn()
    shop.around.down.add("main")
    assert await shop.desk.standing.waiting(await shop.one(other)) == Waiting(
        what=WaitsFor.CONNECTOR_DOWN, detail="main"
    )
    shop.around.down.clear()
    await shop.deliver()
    await shop.connection.execute("UPDATE campaign_chunk SET done = false")
    assert await waits(shop, other) is WaitsFor.NO_ROOM


async def test_c8_an_edit_that_is_not_carried_out_yet_is_told(shop: Shop) -> None:
    """C8: what waits of the version before is recalled first."""
    await shop.people(5)
    campaign = await shop.running()
    await shop.feed.turn()
    await shop.desk.pause(OTHER, campaign, "later is better")
    assert await waits(shop, campaign) is None, "its reason says why"
    before = await shop.one(campaign)
    edited = shop.spec(canary={"share": 0}, schedule={"rate": 10_000})
    await shop.desk.edit(AUTHOR, campaign, before.revision, edited)
    await shop.desk.resume(OTHER, campaign)
    await shop.end_canceled()
    assert await waits(shop, campaign) is WaitsFor.RECALL
