"""An experiment with planned looks inside a campaign, over a real database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from campaigns.decisions import deciding, looks
from campaigns.decisions.decided import How
from campaigns.decisions.looking import ExperimentWatch
from campaigns.decisions.reporting import ExperimentReport
from campaigns.decisions.verdicts import Verdict
from campaigns.experiments.planned_looks import bounds
from campaigns.experiments.winner import Reason
from campaigns.running.desk import CampaignRefused
from campaigns.running.states import CampaignState
from tests.campaigns.decisions.trial import (
    ASKED,
    click,
    later,
    look,
    looked,
    stands,
    tried,
)
from tests.campaigns.running.shop import AUTHOR, OTHER, Shop, shopping
from tests.campaigns.running.world import Killed
from tests.messages.accept.world import wall_ms

FIVE: dict[str, Any] = {"test": {"kind": "planned"}, "test_share": 0.8}


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    async with shopping(database_url) as shop:
        yield shop


async def reported(shop: Shop, campaign: int, hours: float) -> ExperimentReport:
    found = await shop.experiments.experiment(await shop.one(campaign), later(hours))
    assert found is not None
    return found


async def delivered(shop: Shop, campaign: int, percent: int) -> None:
    """So many of each arm are, with those before; nobody else is."""
    messages = await shop.messages(campaign)
    waiting = {row["id"] for row in await shop.connection.fetch("SELECT id FROM outbox")}
    chosen = []
    for arm in ("0", "1"):
        ids = [each["id"] for each in messages if each["variant"] == arm]
        chosen += ids[: -(-len(ids) * percent // 100)]
    await shop.connection.execute(
        "CREATE TEMP TABLE later AS SELECT * FROM outbox WHERE id <> ALL($1::bigint[])", chosen
    )
    await shop.connection.execute("DELETE FROM outbox WHERE id = ANY($1)", waiting - set(chosen))
    await shop.deliver()
    await shop.connection.execute("INSERT INTO outbox SELECT * FROM later")
    await shop.connection.execute("DROP TABLE later")


async def numbers(shop: Shop, campaign: int) -> list[int]:
    return [each["ordinal"] for each in await looked(shop, campaign)]


def watches(shop: Shop, count: int) -> list[ExperimentWatch]:
    return [
        ExperimentWatch(
            shop.world.database.dedicated(f"look {n}"), ids=shop.ids, wall_ms=wall_ms,
            changed=lambda: None, ended=lambda task: None,
        )
        for n in range(count)
    ]  # fmt: skip


async def test_a_look_comes_with_its_people_and_none_between_decides(shop: Shop) -> None:
    """However often it is counted. What stands between two looks shows nothing, whatever it is."""
    await shop.people(400)
    campaign = await tried(shop, experiment=FIVE, holdout=0.1)
    people = len(await shop.messages(campaign))
    assert (await stands(shop, campaign))["planned"] > people
    await delivered(shop, campaign, 10)
    for hours in (24.1, 24.3, 24.5):
        assert not await look(shop, campaign, later(hours))
    assert await looked(shop, campaign) == []
    report = await reported(shop, campaign, 24.5)
    assert report.words == (
        "too few to say. Look 1 of 5 comes with 20 % of the people, and figures before it decide"
        " nothing"
    )
    assert (report.reasons, report.differences) == (
        (Reason.TOO_FEW, Reason.BETWEEN_LOOKS), [],
    )  # fmt: skip
    assert report.upcoming is not None
    assert (report.upcoming.number, report.upcoming.at_latest) == (1, report.decide_by)

    await delivered(shop, campaign, 35)
    for hours in (24.7, 24.9):
        assert not await look(shop, campaign, later(hours))
    [seen] = await looked(shop, campaign)
    assert (seen["ordinal"], seen["lambda"], seen["verdict"]) == (1, None, Verdict.TOO_FEW)
    assert seen["bound"] == pytest.approx(bounds(5)[0], abs=1e-6)
    matured = [each["matured"] for each in seen["counts"]]
    planned = [each["planned"] for each in seen["counts"]]
    assert matured == [-(-each * 35 // 100) for each in planned]

    await click(shop, campaign, 1, 60)
    report = await reported(shop, campaign, 24.9)
    assert [each.successes for each in report.arms] == [0, min(60, matured[1])]
    assert (report.verdict, report.better) == (Verdict.TOO_FEW, None)
    assert report.words == (
        "too few to say, at look 1 of 5. Look 2 of 5 comes with 40 % of the people, and figures"
        " between looks decide nothing"
    )
    [difference] = report.differences
    assert (difference.p, difference.z, difference.difference.value) == (None, 0.0, 0.0)
    assert [each.number for each in report.looks] == [1]


async def test_what_a_look_shows_goes_to_the_others(shop: Shop) -> None:
    """At the first of two, with half of the people. The report says by what."""
    await shop.people(5_200)
    two = {"test": {"kind": "planned", "looks": 2}, "test_share": 0.95}
    campaign = await tried(shop, experiment=two)
    await delivered(shop, campaign, 55)
    await click(shop, campaign, 0, 60)
    await click(shop, campaign, 1, 200)
    assert await look(shop, campaign, later(24.1))
    [seen] = await looked(shop, campaign)
    assert (seen["ordinal"], seen["verdict"]) == (1, Verdict.BETTER)
    stored = await shop.one(campaign)
    assert stored.decided is not None
    assert (stored.decided.how, stored.decided.arm) == (How.WON, 1)
    assert not await look(shop, campaign, later(37)), "it is decided once"
    report = await reported(shop, campaign, 30)
    assert (report.words, report.better) == ("arm 1 is better, at look 1 of 2", 1)
    assert (report.upcoming, report.reasons, report.underpowered) == (None, (), False)
    [difference] = report.differences
    assert difference.z is not None
    assert difference.z > seen["bound"]
    assert 0 < difference.difference.low < difference.difference.value
    await shop.connection.execute("UPDATE campaign SET decided_at = now(), paced_at = now()")
    await shop.feed.turn()
    sent = await shop.messages(campaign)
    assert len(sent) == len({each["to_idx"] for each in sent}) == 5_200


async def test_a_look_that_comes_late_counts_as_what_it_has_reached(shop: Shop) -> None:
    """Nobody looked for a while: those before it are not made up for, and it says so."""
    await shop.people(400)
    campaign = await tried(shop, experiment=FIVE)
    await delivered(shop, campaign, 65)
    assert not await look(shop, campaign, later(26))
    assert await numbers(shop, campaign) == [3]
    report = await reported(shop, campaign, 26)
    assert report.plan is not None
    note = report.plan.note(report.looks, 0)
    assert note is not None
    assert "not taken before it: 1 and 2" in note
    assert "people were matured instead of" in note
    await shop.deliver()
    assert await look(shop, campaign, later(28)), "after the last look nothing can be shown"
    assert await numbers(shop, campaign) == [3, 5]
    stored = await shop.one(campaign)
    assert stored.decided is not None
    assert (stored.decided.how, stored.decided.arm) == (How.FALLBACK, 0)
    report = await reported(shop, campaign, 40)
    assert report.words == "too few to say, at look 5 of 5"


@pytest.mark.parametrize("share", [0, 30])
async def test_the_last_look_is_taken_in_time_with_whoever_is_there(shop: Shop, share: int) -> None:
    await shop.people(200)
    campaign = await tried(shop, experiment={**FIVE, "fallback": "stop"})
    if share:
        await delivered(shop, campaign, share)
    assert await look(shop, campaign, later(36.1))
    [seen] = await looked(shop, campaign)
    assert (seen["ordinal"], seen["verdict"]) == (5, Verdict.TOO_FEW)
    assert (seen["bound"] is None) == (share == 0)
    stored = await shop.one(campaign)
    assert stored.decided is not None
    assert stored.decided.how is How.FALLBACK
    report = await reported(shop, campaign, 37)
    assert report.plan is not None
    assert "taken at decide_by with" in str(report.plan.note(report.looks, 0))


async def test_several_processes_take_each_look_once(shop: Shop) -> None:
    await shop.people(200)
    campaign = await tried(shop, experiment=FIVE)
    processes = watches(shop, 4)
    for number in range(1, 6):
        await delivered(shop, campaign, 20 * number)
        row, now = await stands(shop, campaign), later(24 + number / 2)
        found = await asyncio.gather(*(each.look(row, now) for each in processes))
        assert sum(found) == (number == 5)
    assert await numbers(shop, campaign) == [1, 2, 3, 4, 5]
    assert sum(each.looks for each in processes) == 5
    noted = await shop.connection.fetch("SELECT * FROM audit WHERE action = 'campaign.decide'")
    assert [(row["actor"], row["detail"]["how"]) for row in noted] == [("job", "fallback")]


async def test_a_process_that_dies_in_a_look_leaves_nothing_and_the_next_takes_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.people(200)
    campaign = await tried(shop, experiment={**FIVE, "test": {"kind": "planned", "looks": 1}})
    await shop.deliver()
    dying, heir = watches(shop, 2)
    with monkeypatch.context() as patched:

        async def died(*_: object) -> bool:
            raise Killed

        patched.setattr(deciding, "write", died)
        with pytest.raises(Killed):
            await dying.look(await stands(shop, campaign), later(24.1))
    assert await looked(shop, campaign) == []
    assert (await shop.one(campaign)).decided is None
    assert await heir.look(await stands(shop, campaign), later(24.1))
    assert await numbers(shop, campaign) == [1]
    assert not await heir.look(await stands(shop, campaign), later(37))


async def test_a_process_that_dies_in_a_look_that_decides_nothing_leaves_it_to_the_next(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.people(200)
    campaign = await tried(shop, experiment=FIVE)
    await delivered(shop, campaign, 25)
    dying, heir = watches(shop, 2)
    with monkeypatch.context() as patched:
        store = looks.store

        async def died(*arguments: Any) -> None:
            await store(*arguments)
            raise Killed

        patched.setattr(looks, "store", died)
        with pytest.raises(Killed):
            await dying.look(await stands(shop, campaign), later(24.1))
    assert await looked(shop, campaign) == []
    assert not await heir.look(await stands(shop, campaign), later(24.1))
    [seen] = await looked(shop, campaign)
    assert (seen["ordinal"], seen["bound"]) == (1, pytest.approx(bounds(5)[0], abs=1e-6))


@pytest.mark.parametrize("test", [{"kind": "planned"}, {"kind": "always_valid"}])
async def test_what_begins_later_meanwhile_is_not_over(shop: Shop, test: dict[str, Any]) -> None:
    """It was paused before anybody got it, and resumed while it was being counted."""
    await shop.people(60)
    campaign = await tried(shop, experiment={**FIVE, "test": test})
    before = await stands(shop, campaign)
    await shop.connection.execute("UPDATE campaign SET started_at = started_at + interval '1 h'")
    assert not await shop.looks.look(before, later(36.1))
    assert await looked(shop, campaign) == []
    assert (await shop.one(campaign)).decided is None


async def test_a_clock_that_was_set_back_takes_no_look_again(shop: Shop) -> None:
    await shop.people(200)
    campaign = await tried(shop, experiment=FIVE)
    await delivered(shop, campaign, 25)
    assert not await look(shop, campaign, later(30))
    assert await numbers(shop, campaign) == [1]
    assert not await look(shop, campaign, later(25))
    await delivered(shop, campaign, 45)
    assert not await look(shop, campaign, later(25.5))
    report = await reported(shop, campaign, 26)
    assert [each.number for each in report.looks] == [1, 2], "by their number, not by their time"
    assert report.words.startswith("too few to say, at look 2 of 5. Look 3 of 5")


async def test_a_turn_forgets_what_is_open_no_more_and_counts_no_more_than_it_has_to(
    shop: Shop,
) -> None:
    await shop.people(100)
    campaign = await tried(shop, experiment=FIVE)
    await delivered(shop, campaign, 5)
    await shop.connection.execute("UPDATE campaign SET started_at = started_at - interval '25 h'")
    await shop.looks.turn()
    counted_at = shop.looks._counted[campaign]
    await shop.looks.turn()
    assert shop.looks._counted == {campaign: counted_at}
    await shop.desk.cancel(OTHER, campaign)
    await shop.looks.turn()
    assert shop.looks._counted == {}


async def test_looks_are_not_changed_once_it_has_begun(shop: Shop) -> None:
    await shop.people(60)
    campaign = await tried(shop, experiment=FIVE)
    await delivered(shop, campaign, 30)
    assert not await look(shop, campaign, later(24.1))
    await shop.desk.pause(OTHER, campaign, "a typing error")
    assert not await look(shop, campaign, later(37)), "a pause holds looks, too"
    before = await shop.one(campaign)
    arms = [{"template": shop.template}, {"template": shop.template}]

    def written(**test: object) -> Any:
        asked = {**ASKED, "test_share": 0.8, "test": test}
        return shop.spec(arms=arms, canary={"share": 0}, experiment=asked)

    for other in ({"kind": "planned", "looks": 4}, {"kind": "always_valid"}):
        with pytest.raises(CampaignRefused) as refused:
            await shop.desk.edit(AUTHOR, campaign, before.revision, written(**other))
        assert [(fault.code, fault.pointer) for fault in refused.value.faults] == [
            ("experiment_locked", "/experiment/test")
        ]
    assert await shop.one(campaign) == before
    same = written(kind="planned", looks=5)  # what was meant all along
    assert await shop.desk.edit(AUTHOR, campaign, before.revision, same) is not None


async def test_who_decides_by_hand_between_looks_ends_them(shop: Shop) -> None:
    await shop.people(60)
    campaign = await tried(shop, experiment=FIVE)
    await delivered(shop, campaign, 10)
    assert await shop.experiments.decide(OTHER, campaign, 1, "the season ends") is not None
    assert not await look(shop, campaign, later(37))
    report = await reported(shop, campaign, 37)
    assert (report.words, report.upcoming) == ("too few to say", None)
    assert report.reasons == (Reason.TOO_FEW,)
    assert (await shop.one(campaign)).state is CampaignState.RUNNING
