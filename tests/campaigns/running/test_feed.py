"""Everybody who was planned gets one message, whatever dies and whenever."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from campaigns.running.chunks import WAVE_CHUNKS_MAX, Pace, next_wave
from campaigns.running.feed import Feed
from campaigns.running.schedule import CHUNK_RECIPIENTS_MAX
from campaigns.running.states import CampaignState
from messages.models import Accepter, GivenIds, Prepared, Refused, Verdict
from storage.faults import Overloaded
from storage.pool import Connection
from tests.campaigns.running.world import Campaigns, Dying, Killed, campaigning, numbers
from tests.messages.accept.world import ACCOUNT, wall_ms

COUNT = 3 * CHUNK_RECIPIENTS_MAX + 7


@pytest.fixture
async def here(database_url: str) -> AsyncIterator[Campaigns]:
    async with campaigning(database_url) as here:
        yield here


async def everybody_has_one(here: Campaigns, campaign: int, count: int) -> None:
    assert await here.sent(campaign) == numbers(count)
    assert await here.connection.fetchval("SELECT bool_and(done) FROM campaign_chunk")
    assert await here.skips(campaign) == {}
    assert (await here.row(campaign))["next_seq"] == count


async def test_a_campaign_is_fed_to_its_end(here: Campaigns) -> None:
    campaign = await here.planned(COUNT)
    feed = await here.process()
    assert await feed.turn() == 4
    await everybody_has_one(here, campaign, COUNT)
    assert (feed.messages, feed.skipped) == (COUNT, 0)
    rows = await here.connection.fetch("SELECT * FROM batch_control")
    ids = await here.connection.fetch(
        "SELECT min(id), max(id), min(batch_id) AS batch FROM message"
    )
    assert [(row["id"], row["until_id"]) for row in rows] == [(ids[0]["batch"], ids[0]["max"])]
    assert rows[0]["id"] < ids[0]["min"]
    assert await feed.turn() == 0


class DyingConnection:
    """A Dedicated of a process that dies in its n-th transaction, before or after the COMMIT."""

    def __init__(self, inner: Callable[[], object], transactions: int, *, committed: bool) -> None:
        self._inner = inner
        self._left = transactions
        self._committed = committed

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        self._left -= 1
        async with self._inner.transaction() as connection:  # type: ignore[attr-defined]
            yield connection
            if self._left < 0 and not self._committed:
                raise Killed
        if self._left < 0:
            raise Killed

    @asynccontextmanager
    async def guarded(self) -> AsyncIterator[Connection]:
        async with self._inner.guarded() as connection:  # type: ignore[attr-defined]
            yield connection


async def dying(here: Campaigns, dice: random.Random) -> Feed:
    """A process that will die at T1, at the accept or at T3."""
    if dice.random() < 0.5:
        calls, stored = dice.randrange(2), dice.choice([0.0, dice.random(), 1.0])
        return await here.process(lambda inner: Dying(inner, calls, stored))
    own = here.world.database.dedicated("dying")
    return await here.process(
        dedicated=DyingConnection(own, dice.randrange(4), committed=dice.random() < 0.5)  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("seed", range(8))
async def test_c1_c2_one_message_each_whenever_processes_die(here: Campaigns, seed: int) -> None:
    """C1, C2: T1, accept and T3 are cut short at random, again and again."""
    dice = random.Random(seed)
    campaign = await here.planned(COUNT)
    died = 0
    for _ in range(12):
        feed = await dying(here, dice)
        try:
            await feed.turn()
        except Killed:
            died += 1
        await here.dead()
    assert died >= 2
    await (await here.process()).turn()
    await everybody_has_one(here, campaign, COUNT)


async def test_c6_two_processes_share_a_campaign(here: Campaigns) -> None:
    """C6: and neither sends what the other has taken."""
    campaign = await here.planned(8 * CHUNK_RECIPIENTS_MAX)
    one, two = await here.process(), await here.process()
    await asyncio.gather(one.turn(), two.turn())
    await everybody_has_one(here, campaign, 8 * CHUNK_RECIPIENTS_MAX)
    assert one.chunks + two.chunks == 8
    assert one.chunks and two.chunks


async def test_no_message_has_an_id_below_that_of_its_batch(here: Campaigns) -> None:
    """Two processes whose clocks are apart: whoever looks for a batch's messages finds them all."""
    campaign = await here.planned(4 * CHUNK_RECIPIENTS_MAX)
    await here.connection.execute("UPDATE campaign_recipient SET slot = seq / 1000 * 60")
    await (await here.process()).turn()
    await here.connection.execute("UPDATE campaign SET started_at = started_at - interval '2 h'")
    await (await here.process(clock=lambda: wall_ms() - 3_000)).turn()
    await everybody_has_one(here, campaign, 4 * CHUNK_RECIPIENTS_MAX)
    outside = await here.connection.fetchval(
        "SELECT count(*) FROM message m JOIN batch_control b ON b.id = m.batch_id"
        " WHERE m.id NOT BETWEEN b.id AND b.until_id"
    )
    assert outside == 0


@pytest.mark.parametrize("ramp", [False, True])
async def test_a_rate_that_is_counted_from_later_than_now_goes_on(
    here: Campaigns, ramp: bool
) -> None:
    """The clock was set back just behind a resume: nothing has gone since, and nothing waits."""
    campaign = await here.planned(300)
    here.texts.pace = Pace(10.0, ramp)
    await here.connection.execute("UPDATE campaign SET paced_at = now() + interval '1 day'")
    feed = await here.process()
    await feed.turn()
    await here.connection.execute("UPDATE campaign SET paced_at = paced_at - interval '20 s'")
    await feed.turn()
    assert (await here.row(campaign))["next_seq"] >= (20 if ramp else 200)


async def test_an_open_chunk_of_a_living_process_is_left_to_it(here: Campaigns) -> None:
    campaign = await here.planned(CHUNK_RECIPIENTS_MAX)
    with pytest.raises(Killed):
        await (await here.process(lambda inner: Dying(inner, 0, 0.5))).turn()
    assert await (await here.process()).turn() == 0
    await here.dead()
    assert await (await here.process()).turn() == 1
    await everybody_has_one(here, campaign, CHUNK_RECIPIENTS_MAX)


class Busy:
    """An accepter that has no room, or none for some, until it is told otherwise."""

    def __init__(self, inner: Accepter, *, some: bool) -> None:
        self.inner = inner
        self.some = some
        self.busy = True

    async def accept(
        self, items: list[Prepared], *, batch_id: int | None, ids: GivenIds | None = None
    ) -> list[Verdict | Refused]:
        if not self.busy:
            return await self.inner.accept(items, batch_id=batch_id, ids=ids)
        if not self.some:
            raise Overloaded()
        assert ids is not None
        half = len(items) // 2
        given = GivenIds(ids.ids[:half], ids.again)
        first = await self.inner.accept(items[:half], batch_id=batch_id, ids=given)
        return [*first, *[Refused("overloaded", "busy") for _ in items[half:]]]


@pytest.mark.parametrize("some", [False, True])
async def test_c4_no_room_is_waited_for_and_counted_as_nothing(here: Campaigns, some: bool) -> None:
    """C4: what was refused for want of room is not sent, and is tried again."""
    campaign = await here.planned(COUNT)
    accepter = Busy(here.world.accepter, some=some)
    feed = await here.process(lambda inner: accepter)  # type: ignore[arg-type,return-value]
    for _ in range(3):
        assert await feed.turn() == 0
    assert await here.connection.fetchval("SELECT count(*) FROM campaign_chunk") == 1
    assert (feed.messages, await here.skips(campaign)) == (0, {})
    accepter.busy = False
    await feed.turn()
    await everybody_has_one(here, campaign, COUNT)


async def test_while_one_chunk_is_stored_the_next_is_written(here: Campaigns) -> None:
    """And when the gateway has no room in the middle, both stay open, and nobody is lost."""
    campaign = await here.planned(COUNT)
    accepter = Third(here.world.accepter)
    feed = await here.process(lambda inner: accepter)
    assert await feed.turn() == 2
    assert await here.connection.fetchval("SELECT count(*) FROM campaign_chunk WHERE NOT done") == 2
    accepter.room = True
    await feed.turn()
    await everybody_has_one(here, campaign, COUNT)


class Third:
    """An accepter that has no room from its third call on."""

    def __init__(self, inner: Accepter) -> None:
        self.inner = inner
        self.calls = 0
        self.room = False

    async def accept(
        self, items: Sequence[Prepared], *, batch_id: int | None, ids: GivenIds | None = None
    ) -> list[Verdict | Refused]:
        self.calls += 1
        if self.calls >= 3 and not self.room:
            raise Overloaded()
        return await self.inner.accept(items, batch_id=batch_id, ids=ids)


async def test_each_campaign_stops_while_enough_of_it_waits(
    here: Campaigns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that has its turn behind another of which nothing waits."""
    monkeypatch.setattr("campaigns.running.feed.WAITING_MAX", CHUNK_RECIPIENTS_MAX)
    monkeypatch.setattr("campaigns.running.feed.CHUNKS_BETWEEN_COUNTS", 2)
    gone = await here.planned(4 * CHUNK_RECIPIENTS_MAX)
    full = await here.planned(4 * CHUNK_RECIPIENTS_MAX)  # its people have the numbers now
    await (await here.process()).turn()
    assert (await here.row(gone))["next_seq"] == 4 * CHUNK_RECIPIENTS_MAX
    assert (await here.row(full))["next_seq"] == 2 * CHUNK_RECIPIENTS_MAX


async def test_c5_c12_who_cannot_be_written_to_is_skipped_with_a_reason(here: Campaigns) -> None:
    """C5, C12: a whole chunk of them ends nothing, and the sum is what was planned."""
    campaign = await here.planned(COUNT)
    here.texts.skipped = dict.fromkeys(range(CHUNK_RECIPIENTS_MAX + 3), "variable_missing")
    await here.connection.execute(
        "UPDATE contact_number SET contact = 1 WHERE to_enc = any(SELECT n.to_enc FROM"
        " campaign_recipient r JOIN contact_number n USING (to_idx) WHERE r.seq = $1)",
        COUNT - 1,
    )
    await (await here.process()).turn()
    skips = await here.skips(campaign)
    assert skips == {**here.texts.skipped, COUNT - 1: "number_gone"}
    assert len(await here.sent(campaign)) + len(skips) == COUNT


async def test_a_message_that_was_stored_before_a_crash_is_no_skip(here: Campaigns) -> None:
    campaign = await here.planned(10)
    with pytest.raises(Killed):
        await (await here.process(lambda inner: Dying(inner, 0, 1.0))).turn()
    await here.dead()
    here.texts.skipped = dict.fromkeys(range(10), "variable_missing")
    await (await here.process()).turn()
    await everybody_has_one(here, campaign, 10)


async def test_a_holdout_is_a_place_without_a_message(here: Campaigns) -> None:
    campaign = await here.planned(20)
    await here.connection.execute("UPDATE campaign_recipient SET arm = -1 WHERE seq % 4 = 0")
    await (await here.process()).turn()
    assert await here.sent(campaign) == [n for k, n in enumerate(numbers(20)) if k % 4]
    assert await here.skips(campaign) == {}


async def test_nobody_goes_before_the_slot(here: Campaigns) -> None:
    campaign = await here.planned(20)
    await here.connection.execute("UPDATE campaign_recipient SET slot = seq / 5 * 60")
    feed = await here.process()
    await feed.turn()
    assert await here.sent(campaign) == numbers(5)
    await here.connection.execute("UPDATE campaign SET started_at = started_at - interval '2 h'")
    await feed.turn()
    assert await here.sent(campaign) == numbers(15)


async def test_c15_a_rate_is_counted_from_where_it_began(here: Campaigns) -> None:
    """C15: per campaign; another one is not slowed down."""
    slow = await here.planned(300)
    here.texts.pace = Pace(1.0)
    await here.connection.execute(
        "UPDATE campaign SET paced_at = now() - interval '100 s', paced_seq = 50, next_seq = 50"
    )
    await (await here.process()).turn()
    assert 150 <= (await here.row(slow))["next_seq"] < 200


@pytest.mark.parametrize("ramp", [False, True])
async def test_a_clock_that_was_set_back_pauses_no_feed(here: Campaigns, ramp: bool) -> None:
    """What had gone is paid for as of now, and the rate goes on from there."""
    campaign = await here.planned(300)
    here.texts.pace = Pace(10.0, ramp)
    await here.connection.execute(
        "UPDATE campaign SET paced_at = now() + interval '1 day', next_seq = 200"
    )
    feed = await here.process()
    await feed.turn()
    paced_at = (await here.row(campaign))["paced_at"]
    assert (await here.row(campaign))["next_seq"] <= 201
    await here.connection.execute("UPDATE campaign SET paced_at = paced_at - interval '3 s'")
    await feed.turn()
    assert paced_at < (await here.row(campaign))["started_at"] + timedelta(minutes=2)
    gone = (await here.row(campaign))["next_seq"] - 200
    assert (2 if ramp else 28) <= gone <= 90


async def test_a_batch_of_small_chunks_grows_until_it_can_be_judged(here: Campaigns) -> None:
    """At a slow rate a chunk is one person; a hundred are too few for the guard."""
    campaign = await here.planned(130)
    wave = here.ids.next()
    row = {"id": campaign, "wave": wave, "wave_chunks": WAVE_CHUNKS_MAX, "next_chunk": 100}
    await here.connection.execute(
        "INSERT INTO campaign_chunk (campaign, no, version, batch, from_seq, to_seq, first_id,"
        " owner) SELECT $1, no, 1, $2, no, no, 1, 1 FROM generate_series(0, 99) AS no",
        campaign, wave,
    )  # fmt: skip
    joined = await next_wave(here.connection, row, here.ids.next())  # type: ignore[arg-type]
    assert joined == (wave, WAVE_CHUNKS_MAX + 1)
    await here.connection.execute("UPDATE campaign_chunk SET to_seq = from_seq + 19")
    spare = here.ids.next()
    begun = await next_wave(here.connection, row, spare)  # type: ignore[arg-type]
    assert begun == (spare, 1)


async def test_whoever_opts_out_between_plan_and_feed_gets_nothing(here: Campaigns) -> None:
    await here.planned(10)
    await here.connection.execute(
        "INSERT INTO suppression (to_idx, account, category, reason, source)"
        " SELECT to_idx, $1, 3, 1, 'keyword' FROM campaign_recipient WHERE seq = 4",
        ACCOUNT,
    )
    await (await here.process()).turn()
    left = await here.connection.fetch(
        "SELECT r.seq FROM message AS m JOIN campaign_recipient AS r USING (to_idx)"
        " WHERE NOT EXISTS (SELECT FROM outbox WHERE id = m.id)"
    )
    assert [row["seq"] for row in left] == [4], "it is stored as suppressed, and never waits"
    assert await here.connection.fetchval("SELECT count(*) FROM outbox") == 9


async def test_a_canary_is_fed_and_the_others_wait(here: Campaigns) -> None:
    campaign = await here.planned(600, state=CampaignState.CANARY, canary=20)
    feed = await here.process()
    await feed.turn()
    assert await here.sent(campaign) == numbers(20)
    await here.connection.execute("UPDATE campaign SET state = $1", CampaignState.RUNNING)
    await feed.turn()
    await everybody_has_one(here, campaign, 600)


async def test_what_has_ended_in_the_middle_of_a_campaign_is_sent_no_longer(
    here: Campaigns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A template that ended is noticed as late as it is by messages of the API."""
    campaign = await here.planned(20)
    await here.connection.execute("UPDATE campaign_recipient SET slot = seq / 10 * 60")
    feed = await here.process()
    await feed.turn()
    here.texts.gone = "the template has ended"
    await here.connection.execute("UPDATE campaign SET started_at = started_at - interval '2 h'")
    monkeypatch.setattr("campaigns.running.feed.FRESH_MS", -1)
    await feed.turn()
    assert await here.sent(campaign) == numbers(10)
    row = await here.row(campaign)
    assert (row["state"], row["reason"]) == (CampaignState.PAUSED, "the template has ended")


async def test_a_campaign_whose_route_is_gone_is_paused_and_skips_nobody(here: Campaigns) -> None:
    """Once it is back, everybody gets theirs."""
    campaign = await here.planned(COUNT)
    here.texts.skipped = dict.fromkeys(range(COUNT), "route_unavailable")
    feed = await here.process()
    await feed.turn()
    row = await here.row(campaign)
    assert row["state"] == CampaignState.PAUSED
    assert row["reason"].startswith("route_unavailable: 500 people")
    assert await here.skips(campaign) == {}
    here.texts.skipped = {}
    await here.connection.execute("UPDATE campaign SET state = $1", CampaignState.RUNNING)
    await feed.turn()
    await everybody_has_one(here, campaign, COUNT)


async def test_chunks_that_cannot_be_written_stand_in_no_other_campaigns_way(
    here: Campaigns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They stay open, and go on with their campaign."""
    monkeypatch.setattr("campaigns.running.chunks.OPEN_PER_TURN_MAX", 2)
    await here.process()
    *stuck, good = [await here.planned(5, next_seq=5, next_chunk=1) for _ in range(4)]
    for campaign in (*stuck, good):
        batch, first_id, *_ = here.ids.take(6)
        await here.connection.execute(
            "INSERT INTO campaign_chunk (campaign, no, version, batch, from_seq, to_seq, first_id,"
            " owner) SELECT $1, 0, 1, $2, 0, 4, $3, max(term) FROM owner_term",
            campaign, batch, first_id,
        )  # fmt: skip
    await here.dead()
    await here.connection.execute("UPDATE campaign SET state = 4 WHERE id = ANY($1)", stuck)
    feed = await here.process()
    await feed.turn()
    assert await here.sent(good) == numbers(5)
    assert await here.connection.fetchval("SELECT count(*) FROM campaign_chunk WHERE NOT done") == 3
    await here.connection.execute("UPDATE campaign SET state = 3 WHERE id = ANY($1)", stuck)
    await feed.turn()
    assert await here.connection.fetchval("SELECT bool_and(done) FROM campaign_chunk")


async def test_c8_a_campaign_that_cannot_be_written_is_paused_with_the_reason(
    here: Campaigns,
) -> None:
    """C8: it says why nothing goes."""
    campaign = await here.planned(10)
    here.texts.gone = "its template is gone"
    feed = await here.process()
    assert await feed.turn() == 0
    row = await here.row(campaign)
    assert (row["state"], row["resumes_as"], row["reason"]) == (
        CampaignState.PAUSED,
        CampaignState.RUNNING,
        "its template is gone",
    )
    assert await here.sent(campaign) == []
