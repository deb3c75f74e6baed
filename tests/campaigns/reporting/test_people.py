"""Each of a segment is told what happened to them: planned, excluded, held out, skipped, texted."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from campaigns.reporting.people import RecipientView, WhyView
from campaigns.reporting.why import outcome_of, sentence_of
from campaigns.running.reasons import Excluded, Skip
from campaigns.running.states import CampaignState
from tests.campaigns.running.shop import OTHER, Shop, shopping
from tests.messages.accept.world import ACCOUNT


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    async with shopping(database_url) as built:
        yield built


async def why(shop: Shop, contact: int, campaign: int | None = None) -> list[WhyView]:
    found = await shop.desk.people.why(ACCOUNT, contact, campaign)
    assert found is not None
    return found


async def outcome(shop: Shop, contact: int, campaign: int) -> str:
    [found] = await why(shop, contact, campaign)
    return outcome_of(found)


async def suppress(shop: Shop, contact: int) -> None:
    await shop.connection.execute(
        "INSERT INTO suppression (to_idx, account, category, reason, source)"
        " SELECT to_idx, $1, -1, 9, 'api' FROM contact_number WHERE contact = $2",
        ACCOUNT, contact,
    )  # fmt: skip


async def test_c11_two_contacts_with_one_number_are_one_message_and_a_reason(shop: Shop) -> None:
    """C11: the other one's answer names who got it."""
    first, second = await shop.people(2)
    index = await shop.connection.fetchval(
        "SELECT to_idx FROM contact_number WHERE contact = $1", first
    )
    # No API makes two contacts of a number: the plan must not trust in that.
    await shop.connection.execute(
        "ALTER TABLE contact_number DROP CONSTRAINT contact_number_pkey;"
        f"UPDATE contact_number SET to_idx = '\\x{index.hex()}' WHERE contact = {second}"
    )
    campaign = await shop.running()
    await shop.feed.turn()
    assert len(await shop.messages(campaign)) == 1
    views = {contact: (await why(shop, contact, campaign))[0] for contact in (first, second)}
    assert outcome_of(views[first]) == "message"
    assert (outcome_of(views[second]), views[second].excluded) == ("excluded", "same_number")
    assert views[second].instead == first
    assert "same number" in sentence_of(views[second])


async def test_c12_everybody_of_the_segment_is_told_why(shop: Shop) -> None:
    """C12: planned, excluded and skipped add up, and each one has an outcome."""
    contacts = await shop.people(60)
    await suppress(shop, contacts[0])
    await shop.connection.execute("DELETE FROM contact_number WHERE contact = $1", contacts[1])
    campaign = await shop.running(holdout=0.2)
    await shop.connection.execute("DELETE FROM contact_number WHERE contact = $1", contacts[2])
    assert await outcome(shop, contacts[0], campaign) == "excluded"
    waiting = [await outcome(shop, each, campaign) for each in contacts[3:]]
    assert set(waiting) == {"waiting", "holdout"}
    await shop.feed.turn()
    outcomes = [await outcome(shop, each, campaign) for each in contacts]
    plan = (await shop.one(campaign)).counts
    assert plan["segment"] == len(outcomes) == 60
    assert outcomes.count("excluded") == 2
    assert outcomes.count("holdout") == plan["holdout"]
    skipped = (await shop.one(campaign)).skipped
    assert outcomes.count("skipped") == sum(skipped.values())
    assert outcomes.count("message") == len(await shop.messages(campaign))
    assert outcomes[2] in ("skipped", "holdout")


async def test_the_excluded_come_in_pages_and_by_reason(shop: Shop) -> None:
    contacts = await shop.people(12)
    for each in contacts[:4]:
        await suppress(shop, each)
    await shop.connection.execute("DELETE FROM contact_number WHERE contact = $1", contacts[4])
    campaign = await shop.one(await shop.ready())
    read = shop.desk.people.excluded
    first = await read(campaign, reason=None, after=0, limit=3)
    rest = await read(campaign, reason=None, after=first[-1].contact, limit=10)
    assert [each.contact for each in (*first, *rest)] == contacts[:5]
    assert rest[-1].to is None
    none = await read(campaign, reason="no_number", after=0, limit=10)
    assert [(each.contact, each.reason) for each in none] == [(contacts[4], "no_number")]
    assert first[0].to is not None


async def test_a_number_that_cannot_be_read_sinks_nobody_beside_it(shop: Shop) -> None:
    first, second, third = await shop.people(3)
    for contact in (second, third):
        await shop.connection.execute(
            "UPDATE contact_number SET to_enc = '\\x00' WHERE contact = $1", contact
        )
    await suppress(shop, third)
    campaign = await shop.running()
    await shop.feed.turn()
    assert len(await shop.messages(campaign)) == 1
    stored = await shop.one(campaign)
    views = await shop.desk.people.recipients(stored, after=0, limit=10)
    found = {view.contact: (view.status, view.reason, view.to is None) for view in views}
    assert found == {
        first: ("message", None, False), second: ("skipped", Skip.NUMBER_GONE, True),
    }  # fmt: skip
    [excluded] = await shop.desk.people.excluded(stored, reason=None, after=0, limit=10)
    assert (excluded.contact, excluded.to) == (third, None)
    assert await outcome(shop, second, campaign) == "skipped"


async def test_the_last_campaigns_that_had_somebody(shop: Shop) -> None:
    contacts = await shop.people(3)
    stranger = (await shop.people(1, attrs={"city": "北京"}))[0]
    early, late = await shop.ready(), await shop.ready()
    draft = await shop.draft()
    assert [each.campaign for each in await why(shop, contacts[0])] == [late, early]
    assert await why(shop, stranger) == []
    assert await outcome(shop, stranger, early) == "not_in_segment"
    assert await outcome(shop, contacts[0], draft) == "not_planned"
    assert await why(shop, contacts[0], 12345) == []
    assert await shop.desk.people.why(ACCOUNT, 12345, None) is None
    assert await shop.desk.people.why(ACCOUNT + 1, contacts[0], None) is None


async def test_whoever_was_merged_is_told_of_both(shop: Shop) -> None:
    kept, gone = await shop.people(2)
    campaign = await shop.ready()
    await shop.connection.execute("UPDATE contact SET merged_into = $1 WHERE id = $2", kept, gone)
    await shop.connection.execute("DELETE FROM campaign_recipient WHERE contact = $1", kept)
    assert await outcome(shop, kept, campaign) == "waiting"
    assert await outcome(shop, gone, campaign) == "waiting"


async def test_a_plan_that_is_not_stored_any_more_is_said_to_be_so(shop: Shop) -> None:
    [contact] = await shop.people(1)
    campaign = await shop.ready()
    await shop.connection.execute("DELETE FROM campaign_recipient")
    assert await outcome(shop, contact, campaign) == "forgotten"


async def test_whoever_waited_for_a_campaign_that_was_canceled(shop: Shop) -> None:
    [contact, *_] = await shop.people(5)
    campaign = await shop.running()
    await shop.feed.turn()
    await shop.desk.cancel(OTHER, campaign)
    [view] = await why(shop, contact, campaign)
    assert view.state is CampaignState.CANCELED
    assert outcome_of(view) == "message"


def test_each_reason_has_a_sentence_of_its_own() -> None:
    def said(reason: str) -> str:
        view = WhyView(
            campaign=1, name="x", state=CampaignState.RUNNING, planned=True, forgotten=False,
            excluded=reason,
        )  # fmt: skip
        return sentence_of(view)

    assert len({said(each) for each in Excluded}) == len(Excluded)
    assert not {said(each) for each in Excluded} & {f"Excluded at the plan: {e}." for e in Excluded}
    skipped = {sentence_of(skip(each)) for each in Skip}
    assert len(skipped) == len(Skip)
    assert not any("refused with" in each for each in skipped)
    assert "refused with number_invalid" in sentence_of(skip("number_invalid"))
    assert sentence_of(skip("capped", "one a day")) == "Skipped at the feed: one a day."


def skip(reason: str, detail: str | None = None) -> WhyView:
    who = RecipientView(
        seq=0, contact=1, arm=0, slot=0, to=None, status="skipped", reason=reason, detail=detail
    )
    return WhyView(
        campaign=1, name="x", state=CampaignState.RUNNING, planned=True, forgotten=False,
        recipient=who,
    )  # fmt: skip
