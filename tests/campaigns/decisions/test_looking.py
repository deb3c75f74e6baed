"""An experiment inside a campaign, over a real database: tested, decided once, and followed."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from campaigns.decisions import deciding
from campaigns.decisions.decided import How
from campaigns.decisions.looking import ExperimentWatch
from campaigns.decisions.verdicts import Verdict
from campaigns.running.reasons import Skip
from campaigns.running.states import CampaignState
from tests.campaigns.decisions.trial import (
    ASKED,
    click,
    finished,
    later,
    look,
    looked,
    stands,
    tried,
)
from tests.campaigns.running.shop import AUTHOR, OTHER, Shop, shopping
from tests.campaigns.running.world import Killed
from tests.messages.accept.world import wall_ms


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    async with shopping(database_url) as shop:
        yield shop


async def by_arm(shop: Shop, campaign: int) -> dict[str, int]:
    return dict(Counter(each["variant"] for each in await shop.messages(campaign)))


async def planned(shop: Shop, campaign: int) -> list[tuple[int, int]]:
    rows = await shop.connection.fetch(
        "SELECT seq, arm FROM campaign_recipient WHERE campaign = $1 ORDER BY seq", campaign
    )
    return [(row["seq"], row["arm"]) for row in rows]


async def test_c52_c53_the_better_arm_goes_to_the_others_and_nobody_gets_two(shop: Shop) -> None:
    """C52, C53: the test keeps its arms, who waited gets the winner's text, each one message."""
    await shop.people(2_800)
    campaign = await tried(shop)
    stored = await shop.one(campaign)
    assert stored.test_end is not None
    assert stored.fed == stored.test_end < stored.planned == 2_800
    rows = await planned(shop, campaign)
    assert await by_arm(shop, campaign) == {
        str(arm): sum(each == arm for seq, each in rows if seq < stored.test_end) for arm in (0, 1)
    }
    assert not await finished(shop, campaign), "who waits is not forgotten"
    await click(shop, campaign, 0, 60)
    await click(shop, campaign, 1, 200)
    await click(shop, campaign, 0, 900, machine=True)
    assert not await look(shop, campaign, later(23))
    assert await looked(shop, campaign) == [], "nobody has had the time to react"

    assert await look(shop, campaign, later(24.1))
    [seen] = await looked(shop, campaign)
    assert seen["verdict"] == Verdict.BETTER
    assert [each["successes"] for each in seen["counts"]] == [60, 200]
    assert sum(each["matured"] for each in seen["counts"]) == stored.test_end
    stored = await shop.one(campaign)
    assert stored.decided is not None
    assert (stored.decided.how, stored.decided.arm, stored.decided.by) == (How.WON, 1, "job")
    assert not await look(shop, campaign, later(30)), "it is decided once"

    await shop.connection.execute("UPDATE campaign SET decided_at = now(), paced_at = now()")
    assert await finished(shop, campaign)
    assert stored.test_end is not None
    sent = await by_arm(shop, campaign)
    assert sent["0"] == sum(each == 0 for seq, each in rows if seq < stored.test_end)
    assert sum(sent.values()) == len({each["to_idx"] for each in await shop.messages(campaign)})
    assert sum(sent.values()) == 2_800
    assert await planned(shop, campaign) == rows, "no row of a recipient is changed"

    report = await shop.experiments.experiment(await shop.one(campaign), later(48))
    assert report is not None
    assert (report.words, report.better, report.waiting) == ("arm 1 is better", 1, 0)
    assert [each.successes for each in report.arms] == [60, 200]
    assert not report.underpowered
    [difference] = report.differences
    assert difference.p is not None
    assert difference.p < 0.05
    assert 0 < difference.difference.low < difference.difference.value
    assert [each.verdict for each in report.looks] == [Verdict.BETTER]


async def test_c55_a_larger_test_moves_nobody_to_another_arm(shop: Shop) -> None:
    """C55: an arm is of the contact and the campaign. Who was in the test stays in it."""
    await shop.people(400)
    arms = [{"template": shop.template}, {"template": shop.template, "weight": 3}]
    campaign = await shop.draft(arms=arms, canary={"share": 0})
    found = []
    for share in (0.2, 0.5, 1):
        asked = {
            "metric": "uctr_delivered", "tau": 0.1, "test_share": share, "decide_by": "PT36H",
        }  # fmt: skip
        before = await shop.one(campaign)
        spec = shop.spec(arms=arms, canary={"share": 0}, experiment=asked)
        assert await shop.desk.edit(AUTHOR, campaign, before.revision, spec) is not None
        assert await shop.desk.plan(AUTHOR, campaign) is not None
        test_end = (await shop.one(campaign)).test_end
        assert test_end is not None
        rows = await shop.connection.fetch(
            "SELECT contact, arm, seq < $2 AS tested FROM campaign_recipient WHERE campaign = $1",
            campaign, test_end,
        )  # fmt: skip
        found.append({row["contact"]: (row["arm"], row["tested"]) for row in rows})
        assert abs(test_end - 400 * share) < 60
    for smaller, larger in itertools.pairwise(found):
        for contact, (arm, tested) in smaller.items():
            assert larger[contact] in ((arm, tested), (arm, True))
    assert all(tested for _, tested in found[-1].values())


async def test_c54_c56_of_few_people_nothing_is_shown_and_it_is_said(shop: Shop) -> None:
    """C54, C56: 14 of 15 against 1 of 15 name no winner. In time the others get nothing: each has
    a reason, and the campaign ends.
    """
    await shop.people(60)
    campaign = await tried(shop, experiment={"test_share": 0.5, "fallback": "stop"}, holdout=0.1)
    stored = await shop.one(campaign)
    warning = stored.counts["warnings"]
    assert isinstance(warning, list)
    assert warning[0]["code"] == "underpowered"
    await shop.deliver()
    sent = await by_arm(shop, campaign)
    await click(shop, campaign, 1, sent["1"])
    assert not await look(shop, campaign, later(24.1))
    report = await shop.experiments.experiment(stored, later(25))
    assert report is not None
    assert (report.words, report.underpowered, report.better) == ("too few to say", True, None)
    rows = await planned(shop, campaign)
    assert stored.test_end is not None
    waits = {seq for seq, arm in rows if seq >= stored.test_end and arm >= 0}
    assert report.waiting == len(waits) > 0

    assert await look(shop, campaign, later(36.1))
    assert [each["verdict"] for each in await looked(shop, campaign)] == [Verdict.TOO_FEW] * 2
    assert await finished(shop, campaign)
    assert await by_arm(shop, campaign) == sent, "nobody more got it"
    stored = await shop.one(campaign)
    assert stored.skipped == {Skip.EXPERIMENT_STOPPED: len(waits)}
    shown = await shop.desk.people.recipients(stored, after=0, limit=100)
    assert {each.seq for each in shown if each.reason == Skip.EXPERIMENT_STOPPED} == waits
    report = await shop.experiments.experiment(stored, later(48))
    assert report is not None
    assert (report.words, report.waiting) == ("too few to say", 0)


@pytest.mark.parametrize("fallback", ["control", "split"])
async def test_without_a_difference_the_others_get_what_was_written_before(
    shop: Shop, fallback: str
) -> None:
    await shop.people(80)
    campaign = await tried(shop, experiment={"test_share": 0.5, "fallback": fallback})
    await shop.deliver()
    before = await by_arm(shop, campaign)
    rows = await planned(shop, campaign)
    test_end = (await shop.one(campaign)).test_end
    assert test_end is not None
    assert await look(shop, campaign, later(36.1))
    await shop.connection.execute("UPDATE campaign SET decided_at = now(), paced_at = now()")
    assert await finished(shop, campaign)
    sent = await by_arm(shop, campaign)
    others = [arm if fallback == "split" else 0 for seq, arm in rows if seq >= test_end]
    assert sent == {name: before[name] + others.count(int(name)) for name in ("0", "1")}


async def test_c51_arms_of_other_sizes_than_planned_name_no_winner(shop: Shop) -> None:
    """C51: most of one arm is lost on the way. It is said, and nothing is decided by it.

    Which arm a person is in is by chance: half of one might leave what chance makes, too.
    """
    await shop.people(300)
    campaign = await tried(shop, experiment={"test_share": 1})
    losing = [each["id"] for each in await shop.messages(campaign) if each["variant"] == "1"]
    kept = len(losing) // 5
    await shop.connection.execute("DELETE FROM outbox WHERE id = ANY($1)", losing[kept:])
    await shop.deliver()
    assert not await look(shop, campaign, later(24.1))
    [seen] = await looked(shop, campaign)
    assert seen["verdict"] == Verdict.STOPPED
    report = await shop.experiments.experiment(await shop.one(campaign), later(25))
    assert report is not None
    assert report.words.startswith("stopped: the arms are not of the sizes")
    assert (report.planned_ratio.off, report.matured_ratio.off) == (False, True)


async def test_two_processes_look_and_one_decides(shop: Shop) -> None:
    await shop.people(60)
    campaign = await tried(shop, experiment={"test_share": 0.5})
    await shop.deliver()
    others = [
        ExperimentWatch(
            shop.world.database.dedicated(f"look {n}"), ids=shop.ids, wall_ms=wall_ms,
            changed=lambda: None, ended=lambda task: None,
        )
        for n in range(3)
    ]  # fmt: skip
    for hours, decided in ((24.1, 0), (36.1, 1)):
        now = later(hours)
        row = await stands(shop, campaign)
        found = await asyncio.gather(*(each.look(row, now) for each in others))
        assert sum(found) == decided
    assert len(await looked(shop, campaign)) == 2
    assert sum(each.looks for each in others) == 2
    noted = await shop.connection.fetch("SELECT * FROM audit WHERE action = 'campaign.decide'")
    assert [(row["actor"], row["detail"]["how"]) for row in noted] == [("job", "fallback")]


async def test_a_turn_looks_at_what_is_due_and_tells_of_decisions(shop: Shop) -> None:
    await shop.people(60)
    campaign = await tried(shop, experiment={"test_share": 0.5})
    await shop.deliver()
    told = len(shop.changes)
    await shop.looks.turn()
    assert (shop.looks.looks, len(shop.changes)) == (0, told), "nobody has had the time to react"
    await shop.connection.execute("UPDATE campaign SET started_at = started_at - interval '37 h'")
    await shop.looks.turn()
    assert (shop.looks.looks, shop.looks.decided, len(shop.changes)) == (1, 1, told + 1)
    await shop.looks.turn()
    assert shop.looks.looks == 1
    assert (await shop.one(campaign)).decided is not None


async def test_a_process_that_dies_between_look_and_decision_leaves_neither(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.people(60)
    campaign = await tried(shop, experiment={"test_share": 0.5})
    await shop.deliver()
    with monkeypatch.context() as dying:

        async def died(*_: object) -> bool:
            raise Killed

        dying.setattr(deciding, "write", died)
        with pytest.raises(Killed):
            await look(shop, campaign, later(36.1))
    assert await looked(shop, campaign) == []
    assert (await shop.one(campaign)).decided is None
    assert await look(shop, campaign, later(36.2))
    assert len(await looked(shop, campaign)) == 1


async def test_what_waits_is_paused_resumed_and_canceled_like_everything(shop: Shop) -> None:
    await shop.people(60)
    campaign = await tried(shop, experiment={"test_share": 0.5})
    await shop.deliver()
    fed = (await shop.one(campaign)).fed
    await shop.desk.pause(OTHER, campaign, "the shop is down")
    assert not await look(shop, campaign, later(40)), "a pause holds the decision, too"
    await shop.desk.resume(OTHER, campaign)
    assert not await finished(shop, campaign)
    assert (await shop.one(campaign)).fed == fed
    assert await shop.desk.cancel(OTHER, campaign) is not None
    assert not await look(shop, campaign, later(40))
    assert (await shop.one(campaign)).state is CampaignState.CANCELED


async def test_the_canary_is_of_the_test_and_slots_behind_it_begin_anew(shop: Shop) -> None:
    """Also where the canary is larger than the test would be."""
    await shop.people(700)
    arms = [{"template": shop.template}, {"template": shop.template}]
    asked = {
        "metric": "uctr_delivered", "tau": 0.1, "test_share": 0.1, "decide_by": "PT36H",
    }  # fmt: skip
    campaign = await shop.ready(arms=arms, experiment=asked, schedule={"spread": "PT1H"})
    stored = await shop.one(campaign)
    assert (stored.canary, stored.test_end) == (200, 200)
    rows = await shop.connection.fetch(
        "SELECT seq, slot FROM campaign_recipient WHERE campaign = $1 ORDER BY seq", campaign
    )
    assert [row["slot"] for row in rows][:201] == [0] * 201
    assert rows[-1]["slot"] == 59
    await shop.desk.start(OTHER, campaign, 700)
    await shop.feed.turn()
    assert len(await shop.messages(campaign)) == 200
    await shop.deliver()
    await shop.watch.look()
    assert (await shop.one(campaign)).state is CampaignState.RUNNING
    await shop.feed.turn()
    assert len(await shop.messages(campaign)) == 200
    assert await look(shop, campaign, later(36.1))
    await shop.connection.execute("UPDATE campaign SET decided_at = now() - interval '30 min'")
    await shop.feed.turn()
    assert len(await shop.messages(campaign)) == 200 + sum(
        row["slot"] <= 30 for row in rows if row["seq"] >= 200
    )


async def test_without_anybody_behind_the_test_it_is_decided_before_the_end(shop: Shop) -> None:
    await shop.people(40)
    campaign = await tried(shop, experiment={"test_share": 1})
    assert not await finished(shop, campaign)
    assert (await shop.one(campaign)).fed == 40
    assert await look(shop, campaign, later(36.1))
    assert await finished(shop, campaign)


async def test_an_edit_takes_nobodys_reason_away(shop: Shop) -> None:
    """Whoever gets nothing by the decision gets nothing of a later version, and is told why."""
    await shop.people(60)
    asked = {"test_share": 0.5, "fallback": "stop"}
    campaign = await tried(shop, experiment=asked)
    assert await look(shop, campaign, later(36.1))
    await shop.feed.turn()
    before = await shop.one(campaign)
    assert before.test_end is not None
    assert (before.fed, len(await shop.messages(campaign))) == (60, before.test_end)
    await shop.desk.pause(OTHER, campaign, "a typing error")
    arms = [{"template": shop.template}, {"template": shop.template}]
    spec = shop.spec(name="other", arms=arms, canary={"share": 0}, experiment={**ASKED, **asked})
    revision = (await shop.one(campaign)).revision
    assert await shop.desk.edit(AUTHOR, campaign, revision, spec) is not None
    await shop.desk.resume(OTHER, campaign)
    await shop.end_canceled()
    assert await finished(shop, campaign)
    stored = await shop.one(campaign)
    assert stored.skipped == before.skipped
    shown = await shop.desk.people.recipients(stored, after=0, limit=100)
    assert Counter(each.status for each in shown) == {
        "message": before.test_end, "skipped": 60 - before.test_end,
    }  # fmt: skip
