"""What is asked of the world before a campaign begins, and before it goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from campaigns.running.causes import Cause
from campaigns.running.desk import CampaignRefused
from campaigns.running.outages import DOWN_MAX
from campaigns.running.states import CampaignState
from campaigns.templates import store as templates
from campaigns.templates.memory import place_of
from campaigns.templates.store import Approval
from dlr.reasons import Reason
from storage.codecs import LATEST
from tests.campaigns.running.shop import AUTHOR, OTHER, Shop, shopping

NUMBER = "+8613900000000"
PAGE = "https://shop.example/sale"


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    async with shopping(database_url) as shop:
        yield shop


async def start_codes(shop: Shop, campaign: int) -> list[str]:
    """What stands against its start."""
    with pytest.raises(CampaignRefused) as refused:
        await shop.desk.start(OTHER, campaign, 3)
    return [fault.code for fault in refused.value.faults]


async def resume_codes(shop: Shop, campaign: int, override: str | None = None) -> list[str]:
    """What stands against its going on."""
    with pytest.raises(CampaignRefused) as refused:
        await shop.desk.resume(OTHER, campaign, override)
    return [fault.code for fault in refused.value.faults]


async def approve(shop: Shop, text: str, state: templates.ApprovalState) -> None:
    place = place_of(text)
    assert place is not None
    await templates.approve(
        shop.connection,
        place,
        Approval(
            provider="qiniu", state=state, provider_id=None, reason=None, author="key 1", at=LATEST
        ),
    )


async def waiting_for_main(shop: Shop) -> int:
    """A campaign of five whose connector has gone down."""
    await shop.people(5)
    campaign = await shop.running()
    await shop.feed.turn()
    shop.around.down.add("main")
    await shop.watch.look()
    return campaign


async def test_a_version_that_a_provider_has_not_approved_is_not_started(shop: Shop) -> None:
    await shop.people(3)
    text = await shop.version(providers=("qiniu",))
    campaign = await shop.ready(arms=[{"template": text}])
    assert await start_codes(shop, campaign) == ["not_approved"]
    await approve(shop, text, "submitted")
    assert await start_codes(shop, campaign) == ["not_approved"]
    await approve(shop, text, "approved")
    assert await shop.desk.start(OTHER, campaign, 3) is not None


async def test_a_link_that_does_not_answer_is_not_sent_to_anybody(shop: Shop) -> None:
    await shop.people(3)
    text = await shop.version(
        body="{{link:main}} {{link:more}}",
        links={"main": PAGE, "more": "https://shop.example/more?n={{name}}"},
    )
    campaign = await shop.ready(arms=[{"template": text}, {"template": shop.template}])
    shop.around.dead[PAGE] = "it answers 404"
    with pytest.raises(CampaignRefused) as refused:
        await shop.desk.start(OTHER, campaign, 3)
    [fault] = refused.value.faults
    assert (fault.code, fault.pointer) == ("link_dead", "/arms/0/template")
    assert "main does not answer as it must: it answers 404" in fault.detail
    shop.around.dead.clear()
    assert await shop.desk.start(OTHER, campaign, 3) is not None
    assert shop.around.links_asked.count(PAGE) == 2, "what was dead is asked again"
    assert len(shop.around.links_asked) == 3, "what has answered lately is not"


async def test_a_link_that_stands_in_the_text_is_asked_too(shop: Shop) -> None:
    await shop.people(3)
    text = await shop.version(body=f"Back again? {PAGE}")
    campaign = await shop.ready(arms=[{"template": text}])
    shop.around.dead[PAGE] = "name unknown"
    assert await start_codes(shop, campaign) == ["link_dead"]
    shop.around.checks_links = False
    assert await shop.desk.start(OTHER, campaign, 3) is not None


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"replies": {"R": "a reply R is read as other"}}, "read as other"),
        ({"receives": False}, "no connector of its route takes replies"),
    ],
)
async def test_a_way_to_opt_out_that_does_not_work_is_not_sent(
    shop: Shop, change: dict[str, object], detail: str
) -> None:
    await shop.people(3)
    campaign = await shop.ready()
    for name, value in change.items():
        setattr(shop.around, name, value)
    with pytest.raises(CampaignRefused, match=detail) as refused:
        await shop.desk.start(OTHER, campaign, 3)
    assert [fault.code for fault in refused.value.faults] == ["opt_out_broken"]
    shop.around.replies, shop.around.receives = {}, True
    assert await shop.desk.start(OTHER, campaign, 3) is not None
    assert shop.around.tried[-1] == ("", "R")


async def test_nobody_can_reply_to_a_name(shop: Shop) -> None:
    await shop.people(3)
    campaign = await shop.ready(**{"from": "SHOP"})
    with pytest.raises(CampaignRefused, match="nobody can reply to SHOP"):
        await shop.desk.start(OTHER, campaign, 3)


async def test_an_edited_text_goes_on_only_when_it_was_tested(shop: Shop) -> None:
    await shop.people(600)
    campaign = await shop.running()
    await shop.feed.turn()
    await shop.desk.pause(OTHER, campaign, "a typing error")
    text = await shop.version()
    edited = shop.spec(arms=[{"template": text}], canary={"share": 0})
    before = await shop.one(campaign)
    assert await shop.desk.edit(AUTHOR, campaign, before.revision, edited) is not None
    assert await resume_codes(shop, campaign, "it is urgent") == ["not_tested"]
    assert await shop.desk.test(AUTHOR, campaign, [NUMBER]) is not None
    assert (await shop.one(campaign)).state is CampaignState.PAUSED
    assert await resume_codes(shop, campaign) == ["not_tested"], "it is not delivered yet"
    await shop.deliver(batch=(await shop.one(campaign)).test_batch)
    assert await shop.desk.resume(OTHER, campaign) is not None
    assert (await shop.one(campaign)).cleared_version == 2


async def test_an_edit_of_the_hours_alone_wants_no_test_days_later(shop: Shop) -> None:
    await shop.people(5)
    campaign = await shop.running()
    await shop.desk.pause(OTHER, campaign, "tomorrow is better")
    await shop.connection.execute(
        "UPDATE submission SET receipt_at = receipt_at - interval '9 days'"
    )
    before = await shop.one(campaign)
    edited = shop.spec(canary={"share": 0}, schedule={"window": "finance"})
    assert await shop.desk.edit(AUTHOR, campaign, before.revision, edited) is not None
    shop.rules["four_eyes"] = True
    assert await shop.desk.resume(OTHER, campaign) is not None


async def test_a_connector_that_is_down_pauses_who_waits_for_it(shop: Shop) -> None:
    campaign = await waiting_for_main(shop)
    shop.around.seconds += DOWN_MAX.total_seconds() - 1
    await shop.watch.look()
    assert (await shop.one(campaign)).state is CampaignState.RUNNING
    shop.around.seconds += 1
    await shop.watch.look()
    found = await shop.one(campaign)
    assert (found.state, found.cause) == (CampaignState.PAUSED, Cause.CONNECTOR_DOWN)
    assert found.reason is not None
    assert found.reason.startswith("connector_down: main, down for 10 minutes")
    assert await resume_codes(shop, campaign) == ["cause_stands"]
    shop.around.down.clear()
    resumed = await shop.desk.resume(OTHER, campaign)
    assert resumed is not None
    assert (resumed.state, resumed.cause) == (CampaignState.RUNNING, None)


async def test_a_connector_is_not_down_where_another_process_has_its_messages(shop: Shop) -> None:
    campaign = await waiting_for_main(shop)
    shop.around.seconds += DOWN_MAX.total_seconds()
    for change in ("owner = 12345", "owner = 0, not_before = now() + interval '1 h'"):
        await shop.connection.execute(f"UPDATE outbox SET {change}")
        await shop.watch.look()
        assert (await shop.one(campaign)).state is CampaignState.RUNNING


async def test_an_override_is_on_record(shop: Shop) -> None:
    campaign = await waiting_for_main(shop)
    shop.around.seconds += DOWN_MAX.total_seconds()
    await shop.watch.look()
    assert await shop.desk.resume(OTHER, campaign, "it is back in a minute") is not None
    noted = await shop.connection.fetchval(
        "SELECT text FROM audit WHERE action = 'campaign.resume'"
    )
    assert noted == "it is back in a minute"


async def test_a_link_that_dies_pauses_at_the_second_look(shop: Shop) -> None:
    await shop.people(5)
    text = await shop.version(body="{{link:main}}", links={"main": PAGE})
    campaign = await shop.running(arms=[{"template": text}])
    await shop.patrol.look()
    shop.around.dead[PAGE] = "it answers 500"
    await shop.patrol.look()
    assert shop.patrol.asked == 1, "it was asked just now"
    await shop.connection.execute(
        "UPDATE campaign SET links_asked_at = links_asked_at - interval '1 h'"
    )
    await shop.patrol.look()
    assert (await shop.one(campaign)).state is CampaignState.RUNNING, "one lost answer"
    await shop.patrol.look()
    found = await shop.one(campaign)
    assert (found.state, found.cause) == (CampaignState.PAUSED, Cause.LINK_DEAD)
    assert found.reason == f"link_dead: main of {text}: it answers 500"
    assert await resume_codes(shop, campaign) == ["link_dead"]
    shop.around.dead.clear()
    assert await shop.desk.resume(OTHER, campaign) is not None
    shop.around.dead[PAGE] = "it answers 500"
    await shop.patrol.look()
    shop.around.dead.clear()
    await shop.patrol.look()
    assert (await shop.one(campaign)).state is CampaignState.RUNNING


async def test_dead_links_can_be_answered_for_and_a_broken_opt_out_cannot(shop: Shop) -> None:
    await shop.people(5)
    text = await shop.version(body="{{link:main}}", links={"main": PAGE})
    campaign = await shop.running(arms=[{"template": text}])
    await shop.desk.pause(OTHER, campaign, "a break")
    shop.around.seconds += 3_600
    shop.around.dead[PAGE] = "it answers 500"
    shop.around.replies["R"] = "a reply R is read as other"
    assert await resume_codes(shop, campaign) == ["link_dead", "opt_out_broken"]
    assert await resume_codes(shop, campaign, "the page comes tonight") == ["opt_out_broken"]
    shop.around.replies.clear()
    assert await shop.desk.resume(OTHER, campaign, "the page comes tonight") is not None


async def test_messages_that_carriers_stop_for_their_text_pause_the_campaign(shop: Shop) -> None:
    await shop.people(250)
    campaign = await shop.running()
    await shop.feed.turn()
    await shop.deliver()
    await shop.connection.execute(
        "UPDATE submission SET status = 50, reason = $1 WHERE id IN"
        " (SELECT id FROM submission ORDER BY id DESC LIMIT 12)",
        Reason.CONTENT_FILTERED,
    )
    await shop.watch.look()
    found = await shop.one(campaign)
    assert (found.state, found.cause) == (CampaignState.PAUSED, Cause.BOUNDS)
    assert found.reason is not None
    assert found.reason.startswith("filtered: 12 of 250")
    assert await resume_codes(shop, campaign) == ["cause_stands"]
