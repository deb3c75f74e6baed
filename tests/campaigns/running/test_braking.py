"""A pause that nobody asked for is counted, told and logged, whoever found its reason."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

import campaigns
from campaigns.running.outages import DOWN_MAX
from campaigns.running.states import CampaignState
from campaigns.templates.memory import place_of
from campaigns.templates.store import Approval, approve
from storage.codecs import LATEST
from tests.campaigns.running.shop import Shop, shopping

PEOPLE = 150  # more than are refused in a row
PAGE = "https://shop.example/back"
Found = Callable[[], Awaitable[object]]
Way = Callable[[Shop], Awaitable[Found]]


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    async with shopping(database_url) as shop:
        await shop.people(PEOPLE)
        yield shop


async def by_a_text_that_is_not_approved_any_more(shop: Shop) -> Found:
    text = await shop.version(providers=("qiniu",))
    place = place_of(text)
    assert place is not None
    for state in ("approved", "rejected"):
        said = Approval(
            provider="qiniu", state=state, provider_id=None, reason=None, author="k", at=LATEST
        )  # fmt: skip
        await approve(shop.connection, place, said)
        if state == "approved":
            await shop.running(arms=[{"template": text}])
    return shop.feed.turn


async def by_a_route_that_is_gone(shop: Shop) -> Found:
    await shop.running()
    shop.around.refuse = "route_unavailable"
    return shop.feed.turn


async def by_a_start_that_was_overslept(shop: Shop) -> Found:
    await shop.running()
    await shop.connection.execute("UPDATE campaign SET started_at = started_at - interval '3 h'")
    return shop.watch.look


async def by_its_end(shop: Shop) -> Found:
    end = datetime.now(UTC) + timedelta(hours=1)
    await shop.running(schedule={"end": end.isoformat()})
    await shop.feed.turn()
    await shop.connection.execute(
        "UPDATE campaign_version SET spec = jsonb_set(spec, '{schedule,end}', to_jsonb($1::text))",
        (end - timedelta(hours=2)).isoformat(),
    )
    return shop.watch.look


async def by_a_connector_that_is_down(shop: Shop) -> Found:
    await shop.running()
    await shop.feed.turn()
    shop.around.down.add("main")
    await shop.watch.look()
    shop.around.seconds += DOWN_MAX.total_seconds()
    return shop.watch.look


async def by_a_dead_link(shop: Shop) -> Found:
    text = await shop.version(body="{{link:main}}", links={"main": PAGE})
    await shop.running(arms=[{"template": text}])
    shop.around.dead[PAGE] = "it answers 500"
    await shop.patrol.look()
    return shop.patrol.look


WAYS: tuple[Way, ...] = (
    by_a_text_that_is_not_approved_any_more,
    by_a_route_that_is_gone,
    by_a_start_that_was_overslept,
    by_its_end,
    by_a_connector_that_is_down,
    by_a_dead_link,
)


@pytest.mark.parametrize("way", WAYS, ids=[way.__name__ for way in WAYS])
async def test_whatever_pauses_a_campaign_counts_and_says_it(shop: Shop, way: Way) -> None:
    find = await way(shop)
    assert shop.brake.paused == 0
    shop.changes.clear()
    with capture_logs() as logs:
        await find()
    [row] = await shop.connection.fetch("SELECT state, reason FROM campaign")
    assert row["state"] == CampaignState.PAUSED
    assert shop.brake.paused == 1
    assert len(shop.changes) == 1
    [line] = [each for each in logs if each["event"] == "campaign_paused"]
    assert (line["log_level"], line["reason"]) == ("warning", row["reason"])
    await find()
    assert shop.brake.paused == 1, "it was paused already"


async def test_a_pause_is_not_told_before_it_is_committed(shop: Shop) -> None:
    campaign = await shop.running()
    async with shop.connection.transaction():
        with pytest.raises(ValueError, match="transaction of its own"):
            await shop.brake.pause(shop.connection, campaign, "why")
    assert shop.brake.paused == 0


def test_nobody_pauses_past_the_brake() -> None:
    """A person does, and the verb has an answer of its own."""
    assert campaigns.__file__ is not None
    folder = Path(campaigns.__file__).parent
    pausing = [
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*.py")
        if "stopping.pause(" in path.read_text(encoding="utf-8")
    ]
    assert sorted(pausing) == ["running/braking.py", "running/desk.py"]
