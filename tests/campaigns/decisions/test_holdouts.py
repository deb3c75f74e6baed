"""What a campaign brought: who was texted against who was held out, or why it cannot be said."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta

import pytest

from campaigns.decisions.holdouts import NoLift
from campaigns.experiments.assignment import bucket
from campaigns.experiments.holdout import lift
from campaigns.running.planning import quarter_salt
from dlr.anomalies.significance import Share
from tests.campaigns.decisions.trial import later, look, tried
from tests.campaigns.running.shop import AUTHOR, Shop, shopping
from tests.messages.accept.world import ACCOUNT


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    async with shopping(database_url) as shop:
        yield shop


async def ordered(
    shop: Shop, contacts: list[int], at: datetime, kind: str = "order_paid", account: int = ACCOUNT
) -> None:
    await shop.connection.copy_records_to_table(
        "contact_event",
        records=[(shop.ids.next(), account, contact, kind, at) for contact in contacts],
        columns=("id", "account", "contact", "kind", "at"),
    )


async def by_side(shop: Shop, campaign: int) -> tuple[list[int], list[int]]:
    rows = await shop.connection.fetch(
        "SELECT contact, arm FROM campaign_recipient WHERE campaign = $1 ORDER BY seq", campaign
    )
    return (
        [row["contact"] for row in rows if row["arm"] >= 0],
        [row["contact"] for row in rows if row["arm"] == -1],
    )


async def test_the_lift_is_of_those_whose_time_is_over(shop: Shop) -> None:
    await shop.people(400)
    campaign = await shop.running(holdout=0.3)
    stored = await shop.one(campaign)
    early = await shop.experiments.holdout(stored, later(100))
    assert (early.why, early.lift) == (NoLift.TOO_EARLY, None), "nobody's turn has come"
    await shop.feed.turn()
    assert (await shop.experiments.holdout(stored, later(71))).why is NoLift.TOO_EARLY
    assert (await shop.experiments.holdout(stored, later(73))).why is NoLift.NOBODY_CONVERTED
    texted, held_out = await by_side(shop, campaign)
    now = datetime.now(UTC)
    await ordered(shop, texted[:30], now)
    await ordered(shop, texted[:10], now)  # twice is once
    await ordered(shop, held_out[:4], now + timedelta(hours=71))
    await ordered(shop, [*held_out[4:20], *texted[30:60]], now + timedelta(hours=73))
    await ordered(shop, texted[60:70], now - timedelta(hours=1))
    await ordered(shop, texted[70:80], now, kind="login")
    await ordered(shop, texted[80:90], now, account=ACCOUNT + 1)
    found = await shop.experiments.holdout(stored, later(73))
    assert (found.texted, found.held_out) == (Share(30, len(texted)), Share(4, len(held_out)))
    assert (found.lift, found.why) == (lift(found.texted, found.held_out), None)
    assert found.lift is not None
    assert (found.event, found.window) == ("order_paid", timedelta(hours=72))
    await shop.connection.execute("UPDATE campaign SET ended_at = now()")
    await shop.connection.execute("DELETE FROM campaign_chunk")
    gone = await shop.experiments.holdout(await shop.one(campaign), later(73))
    assert (gone.lift, gone.why) == (None, NoLift.DELETED)


async def test_who_was_merged_meanwhile_is_found_by_either_name(shop: Shop) -> None:
    await shop.people(100)
    campaign = await shop.running(holdout=0.3)
    await shop.feed.turn()
    [other] = await shop.people(1)
    texted, held_out = await by_side(shop, campaign)
    merge = "UPDATE contact SET merged_into = $2 WHERE id = $1"
    await ordered(shop, texted[:1], datetime.now(UTC))
    await shop.connection.execute(merge, texted[0], other)  # told of the one that is gone
    await shop.connection.execute(merge, texted[1], held_out[0])
    await ordered(shop, held_out[:1], datetime.now(UTC))  # told of the one that stays
    found = await shop.experiments.holdout(await shop.one(campaign), later(73))
    assert (found.texted.part, found.held_out.part) == (2, 1)


async def test_the_event_that_counts_is_named_before(shop: Shop) -> None:
    await shop.people(100)
    campaign = await shop.running(holdout=0.3, conversion="login")
    await shop.feed.turn()
    texted, _ = await by_side(shop, campaign)
    await ordered(shop, texted[:5], datetime.now(UTC), kind="login")
    found = await shop.experiments.holdout(await shop.one(campaign), later(73))
    assert (found.event, found.texted) == ("login", Share(5, len(texted)))


async def test_without_a_holdout_nothing_can_be_said(shop: Shop) -> None:
    await shop.people(5)
    stored = await shop.one(await shop.running())
    found = await shop.experiments.holdout(stored, later(100))
    assert (found.why, found.lift) == (NoLift.NO_HOLDOUT, None)


async def test_who_got_nothing_by_a_decision_is_on_no_side(shop: Shop) -> None:
    await shop.people(120)
    asked = {"test_share": 0.5, "fallback": "stop", "window": "1h", "decide_by": "2h"}
    campaign = await tried(shop, experiment=asked, holdout=0.3)
    await shop.deliver()
    assert await look(shop, campaign, later(2.1))
    await shop.feed.turn()
    stored = await shop.one(campaign)
    assert stored.fed == 120
    found = await shop.experiments.holdout(stored, later(100))
    assert found.texted.whole + found.held_out.whole == stored.test_end
    assert found.window == timedelta(hours=1)


async def test_a_quarters_holdout_gets_no_marketing_campaign(shop: Shop) -> None:
    """The same people in each campaign of a quarter, whatever its own holdout is."""
    await shop.people(300)
    shop.rules["global_holdout"] = 0.2
    held_back: list[int] = []
    for share in (0.0, 0.3):
        campaign = await shop.draft(holdout=share)
        plan = await shop.desk.plan(AUTHOR, campaign)
        assert plan is not None
        held_back.append(plan.global_holdout)
        rows = await shop.connection.fetch(
            "SELECT contact, arm FROM campaign_recipient WHERE campaign = $1", campaign
        )
        salt = quarter_salt(ACCOUNT, date.fromisoformat(plan.today))
        for row in rows:
            assert (row["arm"] == -2) == (bucket(salt, row["contact"]) < 2_000)
        assert plan.global_holdout == sum(row["arm"] == -2 for row in rows) > 0
        assert plan.segment == 300 == plan.planned + plan.holdout + plan.global_holdout
    running = await shop.running()
    await shop.feed.turn()
    assert len(await shop.messages(running)) == 300 - held_back[-1]


def test_each_quarter_has_a_salt_of_its_own() -> None:
    days = [date(2026, month, 28) for month in range(1, 13)]
    assert [quarter_salt(1, day)[-6:] for day in days] == [
        f"2026Q{quarter}" for quarter in (1, 2, 3, 4) for _ in range(3)
    ]
    assert quarter_salt(1, days[0]) != quarter_salt(2, days[0])
