"""What a plan says before anybody gets anything: parts, the end, what to look at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from campaigns.running import foresight
from campaigns.running.planning import Plan
from campaigns.templates.findings import Finding
from campaigns.templates.memory import place_of
from campaigns.templates.store import Waiver, waive
from storage.codecs import LATEST
from tests.campaigns.running.shop import AUTHOR, OTHER, Shop, shopping


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    async with shopping(database_url) as shop:
        yield shop


async def planned(shop: Shop, campaign: int) -> Plan:
    made = await shop.desk.plan(AUTHOR, campaign)
    assert made is not None
    return made


async def test_parts_are_those_of_the_texts_that_would_be_sent(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.people(30)
    shop.around.parts = [1, 1, 2]
    shop.around.pace = 10.0
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    campaign = await shop.draft(schedule={"start": start})
    made = await planned(shop, campaign)
    seen = made.foresight
    assert seen.parts == foresight.PlanParts(least=1, median=1, most=2, total=40, rendered=30)
    assert seen.connectors == {"main": 40}
    assert seen.finish_at == start + timedelta(seconds=4)
    assert made.warnings == ()
    monkeypatch.setattr(foresight, "RENDERED_MAX", 15)
    shop.around.parts = [2]
    seen = (await planned(shop, campaign)).foresight
    assert seen.parts == foresight.PlanParts(least=2, median=2, most=2, total=60, rendered=15)


async def test_a_start_says_anew_when_it_is_through(shop: Shop) -> None:
    await shop.people(3)
    campaign = await shop.ready(schedule={"spread": "PT2H"}, canary={"share": 0})
    before = (await shop.one(campaign)).counts["foresight"]
    assert isinstance(before, dict)
    shop.around.pace = 0.0
    started = await shop.desk.start(OTHER, campaign, 3)
    assert started is not None
    told = foresight.of_counts(started.counts)
    assert told is not None
    assert told.finish_at is None, "its connector is stopped by now"
    assert before["finish_at"] is not None


async def test_what_to_look_at_before_the_start(shop: Shop) -> None:
    await shop.people(3, time_zone="Mars/Olympus")
    text = await shop.version(providers=("qiniu",))
    lint = [
        Finding(rule="R6", level="warning", detail="about R6"),
        Finding(rule="R7", level="warning", detail="about R7"),
        Finding(rule="R8", level="error", detail="about R8"),
    ]
    await shop.connection.execute("UPDATE template_version SET lint = $1", lint)
    place = place_of(text)
    assert place is not None
    waiver = Waiver(rule="R7", reason="so it is", author="key 1", at=LATEST)
    await waive(shop.connection, place, waiver)
    soon = datetime.now(UTC) + timedelta(minutes=1)
    campaign = await shop.draft(
        arms=[{"template": text}],
        schedule={
            "start": soon,
            "window": "finance",
            "rate": 1,
            "end": soon + timedelta(seconds=1),
        },
    )
    told = (await planned(shop, campaign)).warnings
    assert [(each.code, each.pointer) for each in told if each.code != "holidays_unknown"] == [
        ("R6", "/arms/0/template"), ("not_approved", "/arms/0/template"),
        ("zone_unknown", "/audience"), ("ends_first", "/schedule/end"),
    ]  # fmt: skip


async def test_days_off_that_nobody_has_announced_are_told(shop: Shop) -> None:
    await shop.people(3)
    far = datetime(2090, 5, 1, tzinfo=UTC)
    spec = shop.spec(schedule={"start": far, "window": "office"})
    campaign = shop.ids.next()
    await shop.desk.create(AUTHOR, campaign, spec)
    told = (await planned(shop, campaign)).warnings
    assert [(each.code, each.detail[:2]) for each in told] == [("holidays_unknown", "CN")]


async def test_who_would_get_nothing_is_counted(shop: Shop) -> None:
    await shop.people(4)
    campaign = await shop.draft()
    shop.around.refuse = "template_param_unfit"
    seen = (await planned(shop, campaign)).foresight
    assert (seen.parts, seen.unsendable) == (None, {"template_param_unfit": 4})


async def test_a_plan_before_its_text_is_there_says_so(shop: Shop) -> None:
    await shop.people(4)
    gone = shop.spec().arms[0].template.replace("@1", "@9")
    made = await planned(shop, await shop.draft(arms=[{"template": gone}]))
    assert made.planned == 4
    assert [each.code for each in made.warnings] == ["cannot_be_written"]


async def test_c24_whose_hours_open_after_the_end_is_skipped_and_not_texted_at_once(
    shop: Shop,
) -> None:
    """C24: nor later. Whoever can be reached in time is."""
    await shop.people(1)
    await shop.people(1, time_zone="America/New_York")
    now = datetime.now(UTC)
    there = (now.hour + 8) % 24  # the clock in Shanghai
    if there == 23:
        there = 22  # a window does not end at 25:00
    campaign = await shop.running(
        schedule={
            "window": {"from": f"{there:02}:00", "to": f"{there + 1:02}:59"},
            "end": now + timedelta(hours=4),
        }
    )
    await shop.feed.turn()
    found = await shop.one(campaign)
    assert found.skipped == {"past_end": 1}
    assert len(await shop.messages(campaign)) == 1
