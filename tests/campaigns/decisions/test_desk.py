"""Decisions by hand and by an edit: once, with a reason, on record."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from campaigns.decisions.decided import How
from campaigns.running.desk import CampaignRefused
from tests.campaigns.decisions.trial import ASKED, finished, later, look, tried
from tests.campaigns.running.shop import AUTHOR, OTHER, Shop, shopping


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    async with shopping(database_url) as shop:
        yield shop


async def refused(shop: Shop, campaign: int, arm: int) -> list[tuple[str, str | None]]:
    with pytest.raises(CampaignRefused) as found:
        await shop.experiments.decide(OTHER, campaign, arm, "because")
    return [(fault.code, fault.pointer) for fault in found.value.faults]


async def test_a_decision_by_hand_is_on_record_and_stays(shop: Shop) -> None:
    await shop.people(60)
    campaign = await tried(shop, experiment={"test_share": 0.5})
    assert await refused(shop, campaign, 2) == [("out_of_range", "/arm")]
    before = await shop.one(campaign)
    decided = await shop.experiments.decide(OTHER, campaign, 1, "the season ends")
    assert decided is not None
    assert decided.decided is not None
    assert decided.revision == before.revision + 1
    made = decided.decided
    assert (made.how, made.arm, made.by, made.why) == (How.BY_HAND, 1, "key 2", "the season ends")
    assert await refused(shop, campaign, 0) == [("state_conflict", "/experiment")]
    [note] = await shop.connection.fetch("SELECT * FROM audit WHERE action = 'campaign.decide'")
    assert (note["actor"], note["text"]) == ("key 2", "the season ends")
    assert (note["detail"]["how"], note["detail"]["arm"]) == ("by_hand", 1)
    assert not await look(shop, campaign, later(40))
    assert await finished(shop, campaign)
    assert len(await shop.messages(campaign)) == 60
    assert await refused(shop, campaign, 0) == [
        ("state_conflict", "/state"), ("state_conflict", "/experiment"),
    ]  # fmt: skip


async def test_without_an_experiment_there_is_nothing_to_decide(shop: Shop) -> None:
    await shop.people(5)
    draft = await shop.draft()
    assert await refused(shop, draft, 0) == [("state_conflict", "/state")]
    running = await shop.running()
    assert await refused(shop, running, 0) == [("state_conflict", "/experiment")]
    assert await shop.experiments.decide(OTHER, 1, 0, "because") is None


async def test_before_the_test_is_fed_to_its_end_a_decision_cuts_nobody_out(shop: Shop) -> None:
    """The rest of the test gets its own arms, and only then come the others."""
    await shop.people(900)
    campaign = await tried(shop, schedule={"rate": 10})
    stored = await shop.one(campaign)
    assert stored.test_end is not None
    assert stored.fed < stored.test_end
    await shop.experiments.decide(OTHER, campaign, 1, "the season ends")
    await shop.connection.execute("UPDATE campaign SET paced_at = now() - interval '1 h'")
    assert await finished(shop, campaign)
    rows = await shop.connection.fetch(
        "SELECT r.seq, r.arm, m.variant FROM campaign_recipient r JOIN message m USING (to_idx)"
        " WHERE m.campaign_id IS NOT NULL"
    )
    assert len(rows) == 900
    for row in rows:
        expected = row["arm"] if row["seq"] < stored.test_end else 1
        assert row["variant"] == str(expected)


async def test_an_edited_text_ends_the_experiment_and_what_was_written_follows(shop: Shop) -> None:
    await shop.people(60)
    campaign = await tried(shop, experiment={"test_share": 0.5})
    await shop.deliver()
    await shop.connection.execute(
        'INSERT INTO template_version SELECT (jsonb_populate_record(t, \'{"version": 2,'
        ' "id": 77}\')).* FROM template_version AS t'
    )
    await shop.desk.pause(OTHER, campaign, "a typing error")
    other = shop.template.replace("@1", "@2")

    async def edit(**changes: object) -> How | None:
        before = await shop.one(campaign)
        arms = [{"template": shop.template}, {"template": shop.template}]
        asked = {**ASKED, "test_share": 0.5}
        values = {"arms": arms, "canary": {"share": 0}, "experiment": asked, **changes}
        edited = await shop.desk.edit(AUTHOR, campaign, before.revision, shop.spec(**values))
        assert edited is not None
        return None if edited.decided is None else edited.decided.how

    assert await edit(name="only its name") is None
    with pytest.raises(CampaignRefused) as found:
        await edit(experiment={**ASKED, "test_share": 0.5, "tau": 0.2})
    assert [fault.code for fault in found.value.faults] == ["experiment_locked"]
    assert await edit(arms=[{"template": shop.template}, {"template": other}]) is How.EDITED
    stored = await shop.one(campaign)
    assert stored.decided is not None
    assert (stored.decided.arm, stored.decided.by) == (0, "key 1")
    report = await shop.experiments.experiment(stored, later(30))
    assert report is not None
    assert report.words == "stopped: the text of an arm was changed"
    assert await shop.desk.test(AUTHOR, campaign, ["+8613900000000"]) is not None
    await shop.deliver()
    await shop.desk.resume(OTHER, campaign)
    assert await finished(shop, campaign)
    assert len(await shop.messages(campaign)) == 60
