"""A campaign from its draft to its end, each change with its conditions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from campaigns.experiments.assignment import bucket
from campaigns.running import stopping
from campaigns.running.desk import CampaignRefused, RevisionDiffers
from campaigns.running.redoing import sent_anew
from campaigns.running.schedule import slot_of
from campaigns.running.states import CampaignState
from campaigns.running.watch import NOT_BEGUN
from campaigns.templates.content import Content
from campaigns.templates.memory import place_of
from campaigns.templates.store import add_version
from messages.control.cancel import MessageCanceler
from storage.ids import format_id, id_at
from tests.campaigns.running.shop import AUTHOR, OTHER, Shop, shopping
from tests.messages.accept.world import ACCOUNT, VAULT

UNDELIVERED = 50


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    async with shopping(database_url) as shop:
        yield shop


async def test_c12_everybody_of_the_segment_is_planned_or_excluded_with_a_reason(
    shop: Shop,
) -> None:
    """C12: size = sent + reasons. The arm is what the hash says, and slots are even."""
    await shop.people(600)
    staff = await shop.connection.fetchval(
        "INSERT INTO tag_def (account, name) VALUES ($1, 'staff') RETURNING id", ACCOUNT
    )
    await shop.people(5, tags=[staff])
    await shop.people(30, attrs={"city": "北京"})  # not in the segment
    [nobody] = await shop.people(1)
    await shop.connection.execute("DELETE FROM contact_number WHERE contact = $1", nobody)
    await shop.connection.execute(
        "INSERT INTO suppression (to_idx, account, category, reason, source)"
        " SELECT to_idx, 0, -1, 9, 'keyword' FROM contact_number ORDER BY contact LIMIT 7"
    )
    campaign = await shop.draft(
        audience={"segment": 'city = "广州"', "exclude": ["staff"]},
        arms=[{"template": shop.template, "weight": 3}, {"template": shop.template}],
        holdout=0.1,
        schedule={"spread": "PT1H"},
    )
    plan = await shop.desk.plan(AUTHOR, campaign)
    assert plan is not None
    assert plan.excluded == {"excluded": 5, "no_number": 1, "suppressed": 7}
    assert plan.segment == 606 == plan.planned + plan.holdout + 13
    rows = await shop.connection.fetch("SELECT * FROM campaign_recipient ORDER BY seq")
    assert [row["seq"] for row in rows] == list(range(593))
    salt = format_id("cmp", campaign)
    for row in rows:
        held = bucket(f"{salt}|holdout", row["contact"]) < 1_000
        assert row["arm"] == (-1 if held else int(bucket(salt, row["contact"]) >= 7_500))
        assert row["slot"] == slot_of(row["seq"], planned=593, canary=200, spread_minutes=60)
    assert plan.canary == 200
    arms = [row["arm"] for row in rows]
    assert plan.arms == {"0": arms.count(0), "1": arms.count(1)}
    assert plan.holdout == arms.count(-1) > 0
    again = await shop.desk.plan(AUTHOR, campaign)
    assert again is not None
    assert (again.arms, again.excluded) == (plan.arms, plan.excluded)
    assert (await shop.one(campaign)).planned == 593


async def test_c11_two_contacts_with_one_number_get_one_message(shop: Shop) -> None:
    """C11: the table lets a number be one contact's; where it is two's, a plan takes the older."""
    older, newer, _ = await shop.people(3)
    share = (
        "UPDATE contact_number AS n SET (to_idx, to_enc) ="
        " (SELECT o.to_idx, o.to_enc FROM contact_number AS o WHERE o.contact = $1)"
        " WHERE n.contact = $2"
    )
    with pytest.raises(asyncpg.UniqueViolationError):
        await shop.connection.execute(share, older, newer)
    await shop.connection.execute("ALTER TABLE contact_number DROP CONSTRAINT contact_number_pkey")
    await shop.connection.execute(share, older, newer)
    campaign = await shop.running()
    counts = (await shop.one(campaign)).counts
    assert (counts["segment"], counts["planned"]) == (3, 2)
    assert counts["excluded"] == {"same_number": 1}
    left_out = await shop.connection.fetch("SELECT contact, reason FROM campaign_excluded")
    assert [tuple(row) for row in left_out] == [(newer, "same_number")]
    await shop.feed.turn()
    sent = [VAULT.open(each["to_enc"]) for each in await shop.messages(campaign)]
    assert len(sent) == len(set(sent)) == 2


async def test_consent_is_asked_where_the_account_wants_it(shop: Shop) -> None:
    shop.rules["consent"] = frozenset({3})
    first, second, _ = await shop.people(3)
    for contact, granted in ((first, True), (second, True), (second, False)):
        await shop.connection.execute(
            "INSERT INTO consent (account, category, to_idx, to_enc, granted, source, at)"
            " SELECT account, 3, to_idx, to_enc, $2, 'shop', now() FROM contact_number"
            " WHERE contact = $1",
            contact,
            granted,
        )
    plan = await shop.desk.plan(AUTHOR, await shop.draft())
    assert plan is not None
    assert (plan.planned, plan.excluded) == (1, {"no_consent": 2})


async def test_an_audience_that_cannot_be_read_plans_nobody(shop: Shop) -> None:
    campaign = await shop.draft(audience={"segment": 'city = "广州"', "exclude": ["a", "b"]})
    with pytest.raises(CampaignRefused) as refused:
        await shop.desk.plan(AUTHOR, campaign)
    assert [fault.pointer for fault in refused.value.faults] == [
        "/audience/exclude/0",
        "/audience/exclude/1",
    ]
    assert (await shop.one(campaign)).planned_at is None


async def test_a_draft_whose_day_is_no_longer_kept_is_to_be_written_anew(shop: Shop) -> None:
    await shop.people(3)
    old = id_at(datetime.now(UTC) - timedelta(days=500))
    await shop.desk.create(AUTHOR, old, shop.spec())
    with pytest.raises(CampaignRefused, match="too long ago"):
        await shop.desk.plan(AUTHOR, old)
    assert (await shop.one(old)).planned_at is None


async def test_c3_from_draft_to_the_end(shop: Shop) -> None:
    await shop.people(450)
    campaign = await shop.ready()
    assert (await shop.one(campaign)).state is CampaignState.TESTING
    with pytest.raises(CampaignRefused) as refused:
        await shop.desk.start(OTHER, campaign, 400)
    assert [fault.code for fault in refused.value.faults] == ["count_changed"]
    assert await shop.desk.start(OTHER, campaign, 450) is not None
    assert (await shop.one(campaign)).state is CampaignState.CANARY
    await shop.feed.turn()
    assert len(await shop.messages(campaign)) == 200
    await shop.watch.look()
    assert (await shop.one(campaign)).state is CampaignState.CANARY, "no verdict yet"
    await shop.deliver()
    await shop.watch.look()
    assert (await shop.one(campaign)).state is CampaignState.RUNNING
    await shop.feed.turn()
    await shop.watch.look()
    assert (await shop.one(campaign)).state is CampaignState.RUNNING, "C3: 250 wait"
    await shop.deliver()
    await shop.watch.look()
    found = await shop.one(campaign)
    assert (found.state, found.fed, found.skipped) == (CampaignState.FINISHED, 450, {})
    sent = [VAULT.open(each["to_enc"]) for each in await shop.messages(campaign)]
    assert len(set(sent)) == len(sent) == 450
    notes = await shop.connection.fetch("SELECT action FROM audit ORDER BY seq")
    assert [note["action"] for note in notes] == [
        "campaign.create", "campaign.plan", "campaign.test", "campaign.start",
    ]  # fmt: skip


async def test_a_canary_that_does_badly_stops_the_rest(shop: Shop) -> None:
    await shop.people(450)
    campaign = await shop.ready()
    await shop.desk.start(OTHER, campaign, 450)
    await shop.feed.turn()
    await shop.deliver(limit=150)
    await shop.deliver(UNDELIVERED)
    await shop.watch.look()
    found = await shop.one(campaign)
    assert (found.state, found.resumes_as) == (CampaignState.PAUSED, CampaignState.RUNNING)
    assert found.reason is not None
    assert found.reason.startswith("delivery: 150 of 200")
    await shop.feed.turn()
    assert len(await shop.messages(campaign)) == 200
    with pytest.raises(CampaignRefused) as refused:
        await shop.desk.resume(OTHER, campaign)
    assert [fault.code for fault in refused.value.faults] == ["cause_stands"]
    await shop.desk.resume(OTHER, campaign, "the carrier has mended it")
    await shop.watch.look()
    await shop.feed.turn()
    await shop.watch.look()
    assert (await shop.one(campaign)).state is CampaignState.RUNNING, "somebody answers for it"
    assert len(await shop.messages(campaign)) == 450
    await shop.deliver(UNDELIVERED)
    await shop.watch.look()
    found = await shop.one(campaign)
    assert (found.state, found.resumes_as) == (CampaignState.PAUSED, CampaignState.RUNNING)
    noted = await shop.connection.fetch("SELECT text FROM audit WHERE action = 'campaign.pause'")
    assert [row["text"][:9] for row in noted] == ["delivery:", "delivery:"]


async def test_all_that_stands_against_a_start_is_told_at_once(shop: Shop) -> None:
    shop.rules["four_eyes"] = True
    campaign = await shop.draft()
    with pytest.raises(CampaignRefused) as refused:
        await shop.desk.start(AUTHOR, campaign, 3)
    codes = [fault.code for fault in refused.value.faults]
    assert codes == ["state_conflict", "four_eyes", "not_tested", "not_planned"]


async def test_an_edit_takes_the_test_and_the_plan_away(shop: Shop) -> None:
    await shop.people(3)
    campaign = await shop.ready()
    before = await shop.one(campaign)
    with pytest.raises(RevisionDiffers):
        await shop.desk.edit(AUTHOR, campaign, before.revision - 1, shop.spec())
    changed = await shop.desk.edit(AUTHOR, campaign, before.revision, shop.spec(holdout=0.2))
    assert changed is not None
    assert (changed.state, changed.version, changed.planned_at) == (CampaignState.DRAFT, 2, None)
    with pytest.raises(CampaignRefused) as refused:
        await shop.desk.start(OTHER, campaign, 3)
    codes = [fault.code for fault in refused.value.faults]
    assert codes == ["state_conflict", "not_tested", "not_planned"]


async def test_c7_c14_a_pause_holds_the_batches_and_a_resume_lets_them_go(shop: Shop) -> None:
    """C7, C14: nothing begins after a pause, and days later it goes on where it was."""
    await shop.people(900)
    campaign = await shop.running(schedule={"rate": 10_000})
    await shop.connection.execute("UPDATE campaign SET paced_at = now() - interval '50 ms'")
    await shop.feed.turn()
    fed = (await shop.one(campaign)).fed
    assert 0 < fed <= 900
    await shop.desk.pause(OTHER, campaign, "the shop is down")
    states = await shop.connection.fetch(
        "SELECT b.state FROM batch_control b JOIN campaign_chunk c ON c.batch = b.id"
    )
    assert {row["state"] for row in states} == {1}
    await shop.feed.turn()
    found = await shop.one(campaign)
    assert (found.fed, found.reason) == (fed, "the shop is down")
    assert await shop.desk.resume(OTHER, campaign) is not None
    await shop.connection.execute("UPDATE campaign SET paced_at = now() - interval '1 h'")
    await shop.feed.turn()
    assert len(await shop.messages(campaign)) == 900
    live = await shop.connection.fetchval("SELECT count(*) FROM batch_control WHERE state <> 0")
    assert live == 0


async def test_c9_in_a_restored_database_nothing_is_fed_before_somebody_resumes_it(
    shop: Shop,
) -> None:
    """C9: also what only had its test may have been started since; each says what it was.

    Somebody has to say why it goes on.
    """
    await shop.people(300)
    fed = await shop.running()
    await shop.feed.turn()
    running, testing, draft = await shop.running(), await shop.ready(), await shop.draft()
    before = {each: await shop.one(each) for each in (fed, running, testing, draft)}
    async with shop.connection.transaction():
        assert await stopping.pause_restored(shop.connection, shop.ids) == 3
    await shop.feed.turn()
    for each in (fed, running, testing):
        found = await shop.one(each)
        assert (found.state, found.reason) == (CampaignState.PAUSED, stopping.RESTORED)
        assert found.resumes_as is before[each].state
        assert found.fed == before[each].fed
    assert await shop.one(draft) == before[draft]
    states = await shop.connection.fetch(
        "SELECT b.state FROM batch_control b JOIN campaign_chunk c ON c.batch = b.id"
    )
    assert {row["state"] for row in states} == {1}
    for each in (running, testing):
        with pytest.raises(CampaignRefused, match="made from a backup"):
            await shop.desk.resume(OTHER, each)
        resumed = await shop.desk.resume(OTHER, each, "the carrier has none of it")
        assert resumed is not None
        assert resumed.state is before[each].state
    await shop.feed.turn()
    assert len(await shop.messages(running)) == 300
    noted = await shop.connection.fetchval(
        "SELECT count(*) FROM audit WHERE action = 'campaign.pause'"
    )
    assert noted == 3


async def test_a_look_counts_campaigns_by_state_and_chunks_that_are_not_done(shop: Shop) -> None:
    await shop.people(900)
    await shop.draft()
    await shop.running()
    await shop.feed.turn()
    assert (shop.feed.messages, shop.feed.skipped) == (900, 0)
    await shop.connection.execute("UPDATE campaign_chunk SET done = false WHERE no = 0")
    await shop.watch.look()
    assert shop.watch.states == {CampaignState.DRAFT: 1, CampaignState.RUNNING: 1}
    assert shop.watch.chunks_waiting == 1


async def test_an_edit_of_a_paused_one_sends_the_rest_anew(shop: Shop) -> None:
    """Who has it keeps it; who does not gets the new text, and nobody gets two."""
    await shop.people(700)
    campaign = await shop.running()
    await shop.feed.turn()
    await shop.deliver(limit=300)
    await shop.desk.pause(OTHER, campaign, "a typing error")
    before = await shop.one(campaign)
    with pytest.raises(CampaignRefused):
        await shop.desk.edit(AUTHOR, campaign, before.revision, shop.spec(holdout=0.2))
    await shop.connection.execute(
        'INSERT INTO template_version SELECT (jsonb_populate_record(t, \'{"version": 2,'
        ' "id": 77}\')).* FROM template_version AS t'
    )
    text = shop.template.replace("@1", "@2")
    edited = shop.spec(arms=[{"template": text}], canary={"share": 0})
    assert await shop.desk.edit(AUTHOR, campaign, before.revision, edited) is not None
    shop.rules["four_eyes"] = True
    with pytest.raises(CampaignRefused) as refused:
        await shop.desk.resume(AUTHOR, campaign, "I know what I do")
    assert [fault.code for fault in refused.value.faults] == ["four_eyes", "not_tested"]
    await shop.tested(campaign)
    with pytest.raises(CampaignRefused, match="a second person"):
        await shop.desk.resume(AUTHOR, campaign)
    await shop.desk.resume(OTHER, campaign)
    await shop.feed.turn()
    assert len(await shop.messages(campaign)) == 700, "what waits is not recalled yet"
    await shop.end_canceled()
    await shop.feed.turn()
    await shop.deliver()
    await shop.watch.look()
    assert (await shop.one(campaign)).state is CampaignState.FINISHED
    delivered = await shop.connection.fetch(
        "SELECT m.id, m.to_idx, m.text FROM message m JOIN submission s ON s.message_id = m.id"
        " WHERE s.status = 60 AND m.campaign_id IS NOT NULL"
    )
    texts = [row["text"] for row in delivered]
    assert (texts.count(shop.template), texts.count(text)) == (300, 400)
    assert len({row["to_idx"] for row in delivered}) == 700
    stored = await shop.one(campaign)
    shown = await shop.desk.people.recipients(stored, after=0, limit=1_000)
    assert {each.status for each in shown} == {"message"}
    assert {each.message for each in shown} == {row["id"] for row in delivered}


async def test_c13_a_cancel_recalls_what_waits_and_stays(shop: Shop) -> None:
    """C13: canceled stays canceled, and what is in flight is counted exactly."""
    await shop.people(20)
    campaign = await shop.running()
    await shop.feed.turn()
    ids = [each["id"] for each in await shop.messages(campaign)]
    await shop.connection.execute(
        "INSERT INTO submit_intent (id, owner, connector, message_ids) VALUES ($1, $2, 7, $3)",
        shop.ids.next(), shop.world.term, ids[:3],
    )  # fmt: skip
    done = await shop.desk.cancel(OTHER, campaign)
    assert done is not None
    assert (done.in_flight, done.campaign.state) == (3, CampaignState.CANCELED)
    await shop.feed.turn()
    await shop.watch.look()
    assert (await shop.one(campaign)).state is CampaignState.CANCELED
    with pytest.raises(CampaignRefused) as refused:
        await shop.desk.resume(OTHER, campaign)
    assert refused.value.faults[0].code == "state_conflict"


async def test_c9_what_has_not_begun_in_time_is_paused_and_nobody_is_texted(shop: Shop) -> None:
    """C9: a snapshot restored later than two hours after the start sends nothing by itself."""
    await shop.people(5)
    campaign = await shop.running()
    await shop.connection.execute("UPDATE campaign SET started_at = started_at - interval '3 h'")
    await shop.feed.turn()
    await shop.watch.look()
    found = await shop.one(campaign)
    assert (found.state, found.reason) == (CampaignState.PAUSED, NOT_BEGUN)
    assert await shop.messages(campaign) == []
    await shop.desk.resume(OTHER, campaign)
    await shop.watch.look()
    await shop.feed.turn()
    assert len(await shop.messages(campaign)) == 5, "a person has had it begin"


async def test_a_start_in_the_future_is_waited_for(shop: Shop) -> None:
    await shop.people(5)
    start = datetime.now(UTC) + timedelta(hours=1)
    campaign = await shop.running(schedule={"start": start})
    await shop.feed.turn()
    assert await shop.messages(campaign) == []
    await shop.connection.execute("UPDATE campaign SET started_at = now() - interval '1 s'")
    await shop.feed.turn()
    assert len(await shop.messages(campaign)) == 5


async def test_c19_c22_a_window_is_by_the_contacts_clock_and_a_bad_zone_loses_nobody(
    shop: Shop,
) -> None:
    """C19: of an unknown zone the number's own stands in; C22: quiet hours are asked as always."""
    await shop.people(1, time_zone="Europe/Berlin")
    await shop.people(1, time_zone="Mars/Olympus")
    await shop.people(1)
    await shop.running(schedule={"window": "finance"})
    shop.asked.clear()
    await shop.feed.turn()
    windows = [each["send_window"] for each in shop.asked]
    assert sorted(each["tz"] for each in windows) == ["Europe/Berlin", "recipient", "recipient"]
    assert {(each["from"], each["to"]) for each in windows} == {("10:00", "12:00")}


async def test_c22_the_best_hour_of_each_is_a_window_of_their_clock(shop: Shop) -> None:
    """Their own events, and ten that are spread as those of all."""
    berlin = await shop.people(1, time_zone="Europe/Berlin")
    others = await shop.people(5)
    first = 10 if datetime.now(ZoneInfo("Europe/Berlin")).hour >= 20 else 21  # still to come
    early = [50 * (hour % 24 == first) for hour in range(48)]
    later = [30 * (hour % 24 == first + 1) for hour in range(48)]
    rows = [(berlin[0], ACCOUNT, early), *((each, ACCOUNT, later) for each in others[:4])]
    await shop.connection.copy_records_to_table(
        "hour_profile", records=rows, columns=("contact", "account", "hours")
    )
    hours = {"from": f"{first}:00", "to": f"{first + 2}:00"}
    await shop.running(schedule={"hour": "best", "window": hours})
    shop.asked.clear()
    await shop.feed.turn()
    found = sorted((each["send_window"]["tz"], each["send_window"]["from"]) for each in shop.asked)
    expected = [("Asia/Shanghai", f"{first + 1}:00")] * 5 + [("Europe/Berlin", f"{first}:00")]
    assert found == expected


async def test_hours_that_no_provider_takes_are_told_at_the_test(shop: Shop) -> None:
    content = Content(category="marketing", body="Back again?", providers=("huawei",))
    place = place_of(shop.template)
    assert place is not None
    await add_version(shop.connection, place[0], shop.ids.next(), "key 1", content, [])
    campaign = await shop.draft(
        arms=[{"template": shop.template.replace("@1", "@2")}],
        schedule={"window": {"from": "23:00", "to": "23:30"}},
    )
    with pytest.raises(CampaignRefused, match="no hour of its window"):
        await shop.desk.test(AUTHOR, campaign, ["+8613900000000"])


async def test_what_is_wrong_with_the_text_of_an_arm_is_told_once(shop: Shop) -> None:
    shop.around.refuse = "text_too_long"
    campaign = await shop.draft()
    with pytest.raises(CampaignRefused) as refused:
        await shop.desk.test(AUTHOR, campaign, ["+8613900000000", "+8613900000001"])
    assert [fault.pointer for fault in refused.value.faults] == ["/arms/0/template"]


async def test_c10_fifty_campaigns_at_once_are_all_fed(shop: Shop) -> None:
    """C10: none is left behind by the others."""
    await shop.people(30)
    campaigns = [await shop.running() for _ in range(50)]
    await shop.feed.turn()
    for campaign in campaigns:
        assert len(await shop.messages(campaign)) == 30


async def test_a_message_that_was_canceled_by_itself_is_not_sent_again(shop: Shop) -> None:
    """What an edit recalls is sent anew; whose message somebody canceled gets none."""
    await shop.people(3)
    campaign = await shop.running()
    await shop.feed.turn()
    [first, *_] = await shop.messages(campaign)
    canceler = MessageCanceler(
        shop.world.database.dedicated("cancel"), shop.ids, sent_anew=sent_anew
    )
    assert (await canceler.cancel(first["account"], first["id"], actor="key 1")).canceled
    await canceler.close()
    await shop.desk.pause(OTHER, campaign, "a typing error")
    before = await shop.one(campaign)
    edited = shop.spec(canary={"share": 0}, schedule={"rate": 10_000})
    assert await shop.desk.edit(AUTHOR, campaign, before.revision, edited) is not None
    assert await shop.desk.resume(OTHER, campaign) is not None
    await shop.end_canceled()
    await shop.feed.turn()
    to = [each["to_idx"] for each in await shop.messages(campaign)]
    assert (len(to), to.count(first["to_idx"])) == (5, 1)
    await shop.deliver()
    await shop.watch.look()
    found = await shop.one(campaign)
    assert (found.state, found.skipped) == (CampaignState.FINISHED, {"canceled": 1})
    shown = await shop.desk.people.recipients(found, after=0, limit=10)
    assert sorted(each.status for each in shown) == ["message", "message", "skipped"]
