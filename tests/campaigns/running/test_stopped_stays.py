"""What somebody stopped stays stopped, whichever way the campaign goes on from there.

Each way is walked up to the moment at which things are stopped, and then to its end.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from campaigns.running import stopping
from campaigns.running.causes import Cause
from campaigns.running.desk import CampaignRefused
from campaigns.running.redoing import sent_anew
from campaigns.running.standing import Waiting, WaitsFor
from campaigns.running.states import CampaignState
from campaigns.templates.memory import place_of
from campaigns.templates.store import Approval, ApprovalState, approve
from dlr.status import Status
from messages.control.batches import BatchChange, BatchChanges, BatchConflict
from messages.control.cancel import MessageCanceler
from storage import sql
from storage.codecs import LATEST
from storage.ids import format_id
from storage.terms import HostIdentity, OwnerTerm
from tests.campaigns.decisions.trial import ASKED, later, look
from tests.campaigns.running.shop import AUTHOR, OTHER, Shop, shopping
from tests.messages.accept.world import ACCOUNT, VAULT

_SQL = sql.load("campaigns")
PEOPLE = 210  # ten more than a canary
Walk = AsyncIterator[int]
Arms = list[dict[str, Any]]


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    async with shopping(database_url) as shop:
        await shop.people(PEOPLE)
        yield shop


async def edited(shop: Shop, campaign: int, **changes: Any) -> None:
    """Paused, written anew, and what waited is recalled."""
    if (await shop.one(campaign)).state is not CampaignState.PAUSED:
        await shop.desk.pause(OTHER, campaign, "a typing error")
    stored = await shop.one(campaign)
    rate = 10_000 + stored.version
    values = {"canary": {"share": 0}, "schedule": {"rate": rate}, **changes}
    await shop.desk.edit(AUTHOR, campaign, stored.revision, shop.spec(**values))
    await shop.end_canceled()


async def gone_on(shop: Shop, campaign: int) -> None:
    await shop.desk.resume(OTHER, campaign)
    await paid(shop)


async def paid(shop: Shop) -> None:
    """No rate holds anybody back."""
    await shop.connection.execute("UPDATE campaign SET paced_at = paced_at - interval '1 h'")
    await shop.feed.turn()


async def by_an_edit(shop: Shop, arms: Arms) -> Walk:
    campaign = await shop.running(arms=arms)
    await shop.feed.turn()
    yield campaign
    await edited(shop, campaign, arms=arms)
    await gone_on(shop, campaign)


async def when_it_is_recalled(shop: Shop, arms: Arms) -> Walk:
    """Between the edit and the resume."""
    campaign = await shop.running(arms=arms)
    await shop.feed.turn()
    await edited(shop, campaign, arms=arms)
    yield campaign
    await gone_on(shop, campaign)


async def by_two_edits(shop: Shop, arms: Arms) -> Walk:
    campaign = await shop.running(arms=arms)
    await shop.feed.turn()
    yield campaign
    await edited(shop, campaign, arms=arms)
    await gone_on(shop, campaign)
    await edited(shop, campaign, arms=arms)
    await edited(shop, campaign, arms=arms)
    await gone_on(shop, campaign)


async def by_a_resume(shop: Shop, arms: Arms) -> Walk:
    campaign = await shop.running(arms=arms)
    await shop.feed.turn()
    yield campaign
    await shop.desk.pause(OTHER, campaign, "a break")
    await gone_on(shop, campaign)


async def by_a_later_slot(shop: Shop, arms: Arms) -> Walk:
    campaign = await shop.running(arms=arms)
    await shop.connection.execute("UPDATE campaign_recipient SET slot = seq / 100 * 60")
    await shop.feed.turn()
    yield campaign
    await shop.connection.execute("UPDATE campaign SET started_at = now() - interval '9 h'")
    await shop.feed.turn()


async def by_the_canary(shop: Shop, arms: Arms) -> Walk:
    campaign = await shop.ready(arms=arms)
    await shop.desk.start(OTHER, campaign, PEOPLE)
    await shop.feed.turn()
    await shop.deliver()
    yield campaign
    await shop.watch.look()
    await shop.feed.turn()


def _tried(arms: Arms) -> dict[str, Any]:
    return {"arms": arms * 2, "experiment": {**ASKED, "test_share": 0.5}}


async def by_a_decision(shop: Shop, arms: Arms) -> Walk:
    campaign = await shop.running(**_tried(arms))
    await shop.feed.turn()
    yield campaign
    await shop.experiments.decide(OTHER, campaign, 1, "the season ends")
    await shop.feed.turn()


async def by_the_fallback(shop: Shop, arms: Arms) -> Walk:
    """By hand it was paused, edited and resumed before."""
    campaign = await shop.running(**_tried(arms))
    await shop.feed.turn()
    yield campaign
    await edited(shop, campaign, **_tried(arms))
    await gone_on(shop, campaign)
    assert await look(shop, campaign, later(40))
    await shop.connection.execute("UPDATE campaign SET decided_at = now(), paced_at = now()")
    await paid(shop)


async def by_another_process(shop: Shop, arms: Arms) -> Walk:
    """One was killed that had stored half of its chunk."""
    campaign = await shop.running(arms=arms)
    await shop.feed.turn()
    half = "SELECT id FROM message WHERE campaign_id IS NOT NULL ORDER BY id DESC LIMIT 100"
    for table in ("outbox", "message"):
        await shop.connection.execute(f"DELETE FROM {table} WHERE id IN ({half})")
    dead = await OwnerTerm.acquire(shop.connection, HostIdentity.current())
    await shop.connection.execute("UPDATE campaign_chunk SET done = false, owner = $1", dead.term)
    await shop.connection.execute(
        "UPDATE owner_term SET ended_at = now() WHERE term = $1", dead.term
    )
    yield campaign
    await shop.feed.turn()


async def by_an_edit_behind_a_kill(shop: Shop, arms: Arms) -> Walk:
    """The chunk was not done when the edit came."""
    walk = by_another_process(shop, arms)
    campaign = await anext(walk)
    yield campaign
    await edited(shop, campaign, arms=arms)
    await anext(walk, None)
    await gone_on(shop, campaign)


WAYS = [
    by_an_edit, when_it_is_recalled, by_two_edits, by_a_resume, by_a_later_slot, by_the_canary,
    by_a_decision, by_the_fallback, by_another_process, by_an_edit_behind_a_kill,
]  # fmt: skip
Way = Callable[[Shop, Arms], Walk]
over_every_way = pytest.mark.parametrize("way", WAYS)


async def opted_out(shop: Shop, campaign: int, who: asyncpg.Record) -> None:
    await shop.connection.execute(
        "INSERT INTO suppression (to_idx, account, category, reason, source)"
        " VALUES ($1, $2, 3, 9, 'keyword')",
        who["to_idx"], ACCOUNT,
    )  # fmt: skip


async def canceled(shop: Shop, campaign: int, who: asyncpg.Record) -> None:
    """The message that they have; who has none yet is not stopped like this."""
    canceler = MessageCanceler(
        shop.world.database.dedicated("cancel"), shop.ids, sent_anew=sent_anew
    )
    rows = await shop.connection.fetch(
        "SELECT id FROM message WHERE to_idx = $1 ORDER BY id DESC LIMIT 1", who["to_idx"]
    )
    for row in rows:
        await canceler.cancel(ACCOUNT, row["id"], actor="key 1")
    if not rows:
        await opted_out(shop, campaign, who)
    await canceler.close()


async def erased(shop: Shop, campaign: int, who: asyncpg.Record) -> None:
    await shop.connection.execute("DELETE FROM contact_number WHERE to_idx = $1", who["to_idx"])
    before = shop.ids.next()
    await shop.connection.execute(
        _SQL["person_recipients_erase"], [who["to_idx"]], None, before, 100
    )


async def another_contacts(shop: Shop, campaign: int, who: asyncpg.Record) -> None:
    """Merged: the number is the other one's now."""
    await shop.connection.execute(
        "UPDATE contact_number SET contact = contact + 1, rank = 9 WHERE to_idx = $1",
        who["to_idx"],
    )


STOPS: tuple[Callable[[Shop, int, asyncpg.Record], Awaitable[None]], ...] = (
    opted_out, canceled, erased, another_contacts,
)  # fmt: skip


async def waiting(shop: Shop) -> dict[int, bytes]:
    """Whose messages wait, by message."""
    rows = await shop.connection.fetch(
        "SELECT m.id, m.to_idx FROM message m JOIN outbox USING (id)"
    )
    return {row["id"]: row["to_idx"] for row in rows}


async def latest_batch(shop: Shop) -> int:
    found: int = await shop.connection.fetchval("SELECT max(batch) FROM campaign_chunk")
    return found


@over_every_way
async def test_whoever_is_out_gets_nothing_more(shop: Shop, way: Way) -> None:
    """And everybody else does, once."""
    walk = way(shop, [{"template": shop.template}])
    campaign = await anext(walk)
    people = await shop.connection.fetch(
        "SELECT seq, to_idx FROM campaign_recipient WHERE campaign = $1 ORDER BY seq", campaign
    )
    out = people[-len(STOPS) :]  # of the remainder, where there is one
    for stop, who in zip(STOPS, out, strict=True):
        await stop(shop, campaign, who)
    before = await waiting(shop)
    await anext(walk, None)
    after = await waiting(shop)
    new = {to for message, to in after.items() if message not in before}
    for stop, who in zip(STOPS, out, strict=True):
        assert who["to_idx"] not in new, stop.__name__
    assert out[1]["to_idx"] not in after.values(), "it was canceled where it waited"
    fed = [row["to_idx"] for row in people[: -len(STOPS)]]
    told = await shop.connection.fetch(
        "SELECT to_idx FROM message WHERE campaign_id = $1 AND id IN"
        " (SELECT id FROM outbox UNION SELECT message_id FROM submission WHERE status = 60)",
        format_id("cmp", campaign),
    )
    assert sorted(row["to_idx"] for row in told if row["to_idx"] in fed) == sorted(fed)


@over_every_way
async def test_a_text_whose_approval_was_taken_back_goes_to_nobody(
    shop: Shop, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("campaigns.running.feed.FRESH_MS", -1)
    text = await shop.version(providers=("qiniu",))
    await say(shop, text, "approved")
    walk = way(shop, [{"template": text}])
    campaign = await anext(walk)
    await say(shop, text, "rejected")
    before = await waiting(shop)
    with contextlib.suppress(CampaignRefused):
        await anext(walk, None)
    assert (await waiting(shop)).keys() <= before.keys()
    await shop.feed.turn()
    found = await shop.one(campaign)
    assert found.state is CampaignState.PAUSED


async def say(shop: Shop, text: str, state: ApprovalState) -> None:
    """What the provider says of it."""
    place = place_of(text)
    assert place is not None
    said = Approval(
        provider="qiniu", state=state, provider_id=None, reason=None, author="key 1", at=LATEST
    )
    await approve(shop.connection, place, said)


async def test_a_batch_of_a_campaign_is_not_changed_by_itself(shop: Shop) -> None:
    """Before it is over nobody can, and then it is a batch like any other."""
    campaign = await shop.running()
    await shop.feed.turn()
    batches = BatchChanges(shop.world.database.dedicated("control"), lambda: None, ids=shop.ids)
    wave = await latest_batch(shop)
    await shop.desk.pause(OTHER, campaign, "a break")
    for change in (BatchChange("active"), BatchChange("canceled"), BatchChange(rate="1/s")):
        with pytest.raises(BatchConflict, match=format_id("cmp", campaign)):
            await batches.change(ACCOUNT, wave, change, actor="key 1")
    await shop.desk.resume(OTHER, campaign)
    await shop.deliver()
    await shop.watch.look()
    assert (await shop.one(campaign)).state is CampaignState.FINISHED
    view = await batches.change(ACCOUNT, wave, BatchChange("canceled"), actor="key 1")
    assert view is not None
    assert view.state == "canceled"


async def test_what_was_canceled_before_batches_had_a_campaign_stays_so(shop: Shop) -> None:
    campaign = await shop.running()
    await shop.feed.turn()
    await shop.connection.execute("UPDATE batch_control SET state = 2, campaign = NULL")
    await shop.end_canceled()
    await edited(shop, campaign)
    await gone_on(shop, campaign)
    assert await waiting(shop) == {}
    await shop.watch.look()
    assert (await shop.one(campaign)).state is CampaignState.FINISHED


async def test_whom_a_breaker_of_their_batch_holds_an_edit_does_not_let_go(shop: Shop) -> None:
    campaign = await shop.running()
    await shop.feed.turn()
    wave = await latest_batch(shop)
    await shop.connection.execute(
        "INSERT INTO breaker (id, scope, subject, batch_id, state, since, baseline, wait_ms,"
        " evidence_from, actor, reason) VALUES ($1, 'batch', 'b', $2, 3, now(), 1, 1, now(),"
        " 'key 3', 'wrong prices')",
        shop.ids.next(), wave,
    )  # fmt: skip
    await edited(shop, campaign)
    await gone_on(shop, campaign)
    await shop.watch.look()
    assert await waiting(shop) == {}
    found = await shop.one(campaign)
    assert found.state is CampaignState.RUNNING
    assert await shop.desk.standing.waiting(found) == Waiting(
        what=WaitsFor.RECALL, detail="breaker of batch b"
    )
    await shop.connection.execute("UPDATE breaker SET state = 0")
    await paid(shop)
    assert len(await waiting(shop)) == PEOPLE


async def test_what_is_sent_anew_goes_at_the_rate_of_today(shop: Shop) -> None:
    """Nobody behind them overtakes, and what went is paid for."""
    await shop.people(490)
    campaign = await shop.running()
    await shop.feed.turn()
    await edited(shop, campaign, schedule={"rate": 10})
    await shop.desk.resume(OTHER, campaign)
    await shop.feed.turn()
    assert await waiting(shop) == {}
    for seconds, sent in ((49, 0), (6, 500), (4, 500), (15, 700)):
        await shop.connection.execute(
            "UPDATE campaign SET paced_at = paced_at - make_interval(secs => $1)", seconds
        )
        await shop.feed.turn()
        assert len(await waiting(shop)) == sent, seconds


@pytest.mark.parametrize("by_edit", [False, True])
async def test_a_canary_is_not_judged_by_the_time_that_it_stood(shop: Shop, by_edit: bool) -> None:
    """Three verdicts of two hundred let nobody follow, however long it was paused before. Neither
    while the others wait, nor just when they are sent.
    """
    campaign = await shop.ready()
    await shop.desk.start(OTHER, campaign, PEOPLE)
    await shop.feed.turn()
    await shop.connection.execute("UPDATE campaign SET canary_fed_at = now() - interval '1 h'")
    await shop.desk.pause(OTHER, campaign, "a break")
    if by_edit:
        await edited(shop, campaign, canary={})
    await gone_on(shop, campaign)
    await shop.deliver(limit=3)
    await shop.watch.look()
    assert (await shop.one(campaign)).state is CampaignState.CANARY
    await shop.deliver(status=Status.SENT)
    await shop.watch.look()
    assert (await shop.one(campaign)).state is CampaignState.CANARY
    await shop.connection.execute(
        "UPDATE submission SET status = 60 WHERE status = $1", Status.SENT
    )
    await shop.watch.look()
    assert (await shop.one(campaign)).state is CampaignState.RUNNING


async def test_a_canary_that_is_not_sent_anew_yet_is_not_judged(shop: Shop) -> None:
    """An edit has recalled it, and one of its chunks is behind the others."""
    campaign = await shop.ready()
    await shop.desk.start(OTHER, campaign, PEOPLE)
    await shop.connection.execute("UPDATE campaign_recipient SET slot = seq / 100 * 60")
    await shop.feed.turn()
    await shop.connection.execute("UPDATE campaign SET started_at = now() - interval '9 h'")
    await shop.feed.turn()
    await edited(shop, campaign, canary={}, schedule={"rate": 10})
    await shop.desk.resume(OTHER, campaign)
    await shop.connection.execute("UPDATE campaign SET paced_at = paced_at - interval '12 s'")
    await shop.feed.turn()
    await shop.deliver()
    await shop.watch.look()
    assert len(await shop.messages(campaign)) == 300
    assert (await shop.one(campaign)).state is CampaignState.CANARY


async def test_a_cancel_takes_the_test_back_that_still_waits(shop: Shop) -> None:
    campaign = await shop.draft()
    await shop.desk.test(AUTHOR, campaign, ["+8613900000000"])
    assert len(await waiting(shop)) == 1
    assert await shop.desk.cancel(OTHER, campaign) is not None
    await shop.end_canceled()
    assert await waiting(shop) == {}


async def test_in_a_restored_database_one_that_was_paused_says_that_it_may_have_gone_on(
    shop: Shop,
) -> None:
    """Somebody has to say why it goes on, once, and everything else is as it was."""
    campaign = await shop.running()
    await shop.feed.turn()
    await shop.desk.pause(OTHER, campaign, "the shop is down")
    for _ in range(2):
        async with shop.connection.transaction():
            await stopping.pause_restored(shop.connection, shop.ids)
    found = await shop.one(campaign)
    assert (found.state, found.resumes_as) == (CampaignState.PAUSED, CampaignState.RUNNING)
    assert found.reason == f"{stopping.RESTORED}; before that: the shop is down"
    with pytest.raises(CampaignRefused) as refused:
        await shop.desk.resume(OTHER, campaign)
    assert [fault.code for fault in refused.value.faults] == ["cause_stands"]
    assert await shop.desk.resume(OTHER, campaign, "the carrier has none of it") is not None


async def test_the_guard_judges_a_batch_whose_receipts_come_while_the_next_one_goes(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it was resumed for in spite of its bounds is not held against it again."""
    monkeypatch.setattr("campaigns.running.chunks.WAVE_CHUNKS_MAX", 1)
    monkeypatch.setattr("campaigns.running.chunks.WAVE_RECIPIENTS_MIN", 1)
    await shop.people(490)
    campaign = await shop.running()
    await shop.feed.turn()
    batches = await shop.connection.fetch("SELECT batch FROM campaign_chunk ORDER BY no")
    assert len({row["batch"] for row in batches}) == 2
    await shop.deliver(status=50, batch=batches[0]["batch"])
    await shop.watch.look()
    assert (await shop.one(campaign)).cause is Cause.BOUNDS
    with pytest.raises(CampaignRefused, match="delivery: 0 of 500"):
        await shop.desk.resume(OTHER, campaign)
    await shop.desk.resume(OTHER, campaign, "the carrier has mended it")
    await shop.watch.look()
    assert (await shop.one(campaign)).state is CampaignState.RUNNING


async def test_whoever_is_about_to_be_erased_is_sent_nothing_more(shop: Shop) -> None:
    """Also before the erasure has come to the plan, and by whichever of their numbers."""
    campaign = await shop.running()
    one, two = await shop.connection.fetch(
        "SELECT r.seq, n.to_idx, r.contact FROM campaign_recipient r JOIN contact_number n"
        " USING (contact) ORDER BY r.seq LIMIT 2"
    )
    other = VAULT.index("+8613999999999")
    await shop.connection.execute(
        "INSERT INTO contact_number (account, to_idx, to_enc, contact, rank)"
        " VALUES ($1, $2, '', $3, 1)",
        ACCOUNT, other, two["contact"],
    )  # fmt: skip
    for account, index in ((None, one["to_idx"]), (ACCOUNT, other)):
        await shop.connection.execute(
            "INSERT INTO person_erasure (id, account, number_enc, number_idx)"
            " VALUES ($1, $2, '', $3)",
            shop.ids.next(), account, index,
        )  # fmt: skip
    await shop.feed.turn()
    assert len(await waiting(shop)) == PEOPLE - 2
    assert (await shop.one(campaign)).skipped == {"number_gone": 2}


async def test_the_guard_looks_also_where_the_clock_was_set_back_behind_the_start(
    shop: Shop,
) -> None:
    campaign = await shop.running()
    await shop.feed.turn()
    await shop.deliver(status=50)
    await shop.connection.execute("UPDATE campaign SET started_at = now() + interval '1 h'")
    await shop.watch.look()
    assert (await shop.one(campaign)).cause is Cause.BOUNDS
