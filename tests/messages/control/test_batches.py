"""A batch that is paused, slowed down or canceled, and what happens to those beside it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from dispatch.message import ReadyMessage
from dispatch.outbox import refill
from dispatch.outbox.batch_feed import BatchFeed
from dispatch.outbox.claims import Claims
from dispatch.outbox.refill import Refiller
from dispatch.queue.batch_pace import BatchPace
from dispatch.wire.connector_dispatch import ConnectorDispatch
from dispatch.wire.intents import IntentWriter
from dlr.ledger import SubmissionRow, insert_submissions
from dlr.report import Span, message_counts
from dlr.status import Status
from dlr.ways import settle_ways
from messages.batch_states import BatchState
from messages.control import waves
from messages.control.batches import BatchChange, BatchChanges, BatchConflict, BatchView
from messages.control.look import ControlLook
from messages.control.watch import BatchWatch
from messages.reading.statuses import standings
from storage.ids import ID_MAX, format_id
from tests.dispatch.on_the_wire import Carrier, push, say_nothing, sending
from tests.dispatch.world import CONNECTOR, VAULT, World, running, wall_ms
from tests.smpp.recording import eventually

ACCOUNT = 1
KEY = "key 7"
NOTHING_WAITS = "SELECT count(*) FROM outbox"


@dataclass
class Process:
    """The control of one gateway process, its loops driven by hand."""

    world: World
    batches: BatchPace
    watch: BatchWatch
    changes: BatchChanges
    refiller: Refiller | None = None

    async def batch(self, messages: list[ReadyMessage], *, owner: int | None = 0) -> int:
        """These are one batch, committed."""
        batch_id = messages[0].id - 1
        for message in messages:
            message.batch_id = batch_id
        await self.world.store(messages, owner=owner)
        await self.world.connection.execute(
            "UPDATE outbox SET batch_id = $1 WHERE id = ANY($2)", batch_id, ids(messages)
        )
        await self.world.connection.execute(
            "UPDATE message SET batch_id = $1 WHERE id = ANY($2)", batch_id, ids(messages)
        )
        await self.world.connection.execute(
            "INSERT INTO batch_control (id, account, until_id) VALUES ($1, $2, $3)",
            batch_id, ACCOUNT, messages[-1].id,
        )  # fmt: skip
        return batch_id

    async def say(self, batch_id: int, **change: str | None) -> BatchView:
        view = await self.changes.change(ACCOUNT, batch_id, BatchChange(**change), actor=KEY)
        assert view is not None
        return view

    def resumed(self) -> None:
        if self.refiller is not None:
            self.refiller.look_again()

    @asynccontextmanager
    async def claiming(self, dispatch: ConnectorDispatch) -> AsyncIterator[None]:
        self.refiller = Refiller(
            self.world.database.dedicated("refill"),
            {CONNECTOR: dispatch},
            batches=self.batches,
            vault=VAULT,
            ids=self.world.ids,
            term=self.world.term.term,
            monotonic=time.monotonic,
            ended=asyncio.Task.cancelled,
        )
        claims = Claims(
            self.world.database.dedicated("feed"),
            vault=VAULT,
            ids=self.world.ids,
            term=self.world.term.term,
            texts_differ=lambda: False,
        )
        feed = BatchFeed(claims, {CONNECTOR: dispatch}, self.batches, ended=asyncio.Task.cancelled)
        self.refiller.start()
        feed.start()
        try:
            yield
        finally:
            await feed.stop()
            await self.refiller.stop()


def ids(messages: list[ReadyMessage]) -> list[int]:
    return [message.id for message in messages]


@pytest.fixture
async def process(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Process]:
    monkeypatch.setattr(refill, "DUE_SECONDS", 0.02)
    async with running(database_url) as world:
        world.intents = IntentWriter(
            world.database.dedicated("intent"),
            term=world.term.term,
            looks=(ControlLook(wall_ms),),
        )
        batches = BatchPace()
        running_process = Process(
            world,
            batches,
            watch=BatchWatch(
                world.database.dedicated("watch"),
                world.database.dedicated("sweep"),
                batches,
                connectors=[CONNECTOR],
                ids=world.ids,
                monotonic_ns=time.monotonic_ns,
                resumed=lambda: running_process.resumed(),
                ended=asyncio.Task.cancelled,
            ),
            changes=BatchChanges(world.database.dedicated("control"), lambda: None, ids=world.ids),
        )
        yield running_process


async def test_a_wave_of_a_campaign_is_refused_until_the_campaign_lets_it_go(
    process: Process,
) -> None:
    """Also what would change nothing: what is canceled here may be sent anew there."""
    world = process.world
    campaign, batch = world.ids.take(2)
    await waves.reach(world.connection, batch, ACCOUNT, world.ids.next(), campaign)
    await world.connection.execute("UPDATE batch_control SET rate = '5/s' WHERE id = $1", batch)
    changes: list[dict[str, str | None]] = [
        {"state": "active"}, {"state": "paused"}, {"state": "canceled"}, {"rate": "50/s"},
    ]  # fmt: skip
    for change in changes:
        with pytest.raises(BatchConflict, match=format_id("cmp", campaign)) as refused:
            await process.say(batch, **change)
        assert refused.value.code == "batch_of_campaign"
    assert (await process.say(batch, rate=None)).rate is None, "it had one before"
    async with world.connection.transaction():
        await waves.hold_intents(world.connection)
        await waves.turn(world.connection, [batch], BatchState.CANCELED, campaign)
    with pytest.raises(BatchConflict):
        await process.say(batch, state="canceled")
    await waves.let_go(world.connection, [batch])
    assert (await process.say(batch, state="canceled")).state == "canceled"


async def test_a_paused_batch_is_stepped_over_and_none_of_its_rows_is_touched(
    process: Process,
) -> None:
    world = process.world
    paused, other = world.messages(30), world.messages(5)
    batch = await process.batch(paused)
    await world.store(other, owner=0)
    assert (await process.say(batch, state="paused")).in_flight == 0
    await process.watch.learn()
    before = {key: row for key, row in (await world.outbox()).items() if row["batch_id"]}
    carrier = Carrier()
    async with (
        sending(world, carrier, batches=process.batches) as dispatch,
        process.claiming(dispatch),
    ):
        await world.until(NOTHING_WAITS, 30)
        assert len(carrier.submitted) == 5
        assert await world.outbox() == before
        await process.say(batch, state="active")
        await process.watch.learn()
        await world.until(NOTHING_WAITS, 0)
    assert len(carrier.submitted) == 35


async def test_what_is_in_memory_is_stopped_though_its_process_does_not_know(
    process: Process,
) -> None:
    """The last look is exact; the process has not even looked at the database since."""
    world = process.world
    messages = world.messages(300)
    batch = await process.batch(messages, owner=None)
    carrier = Carrier(say_nothing)
    async with sending(world, carrier, window=10, batches=process.batches) as dispatch:
        push(dispatch, messages)
        await carrier.came(10)
        view = await process.say(batch, state="paused")
        assert 10 <= view.in_flight <= 20  # a window written, one prepared
        carrier.react = lambda _pdu: 0
        carrier.answer_oldest(10)
        await eventually(lambda: not len(dispatch.ready))
        await world.until("SELECT count(*) FROM submit_intent", 0)
        await world.until("SELECT count(*) FROM outbox WHERE owner <> 0", 0)
        assert len(carrier.submitted) == view.in_flight
        assert await world.count("outbox") == 300 - view.in_flight
        assert await world.count("event") == 0


async def test_what_is_in_memory_leaves_it_without_an_intent(process: Process) -> None:
    world = process.world
    messages, other = world.messages(300), world.message()
    batch = await process.batch(messages, owner=None)
    await world.store([other])
    await process.say(batch, state="paused")
    await process.watch.learn()
    carrier = Carrier()
    async with sending(world, carrier, batches=process.batches) as dispatch:
        push(dispatch, [*messages, other])
        await carrier.came(1)
        await eventually(lambda: not len(dispatch.ready))
        await world.until("SELECT count(*) FROM outbox WHERE owner = 0", 300)
    assert len(carrier.submitted) == 1
    assert world.intents.commits.items_flushed == 1


async def test_a_canceled_batch_is_ended_in_slices_and_forgotten(process: Process) -> None:
    world = process.world
    messages, other = world.messages(1_100), world.messages(3)
    batch = await process.batch(messages)
    await world.store(other, owner=0)
    await process.say(batch, state="canceled")
    await process.watch.learn()
    assert await process.watch.sweep()
    assert await world.count("submission") == 500
    while await process.watch.sweep():
        pass
    assert sorted(await world.outbox()) == ids(other)
    results = await world.results()
    assert results == {(message.id, 0): Status.CANCELED for message in messages}
    for again in ("active", "paused"):
        with pytest.raises(BatchConflict):
            await process.say(batch, state=again)
    await process.say(batch, state="canceled")  # said twice, nothing happens twice
    await process.watch.learn()
    assert not await process.watch.sweep()
    assert len(await world.results()) == 1_100


async def test_of_a_canceled_batch_what_was_submitted_is_not_canceled(process: Process) -> None:
    """Neither while it waits to be cleared away nor afterwards."""
    world = process.world
    fresh, doubtful, begun = messages = world.messages(3)
    batch = await process.batch(messages)
    await world.connection.execute("UPDATE outbox SET in_doubt = true WHERE id = $1", doubtful.id)
    sent = SubmissionRow(
        world.ids.next(), begun.id, 1, 2, begun.account, begun.category, 1, Status.SENT
    )
    await insert_submissions(world.connection, [sent])
    await process.say(batch, state="canceled")
    before = await standings(world.connection, ids(messages))
    assert [before[each].status for each in ids(messages)] == [
        Status.CANCELED, Status.QUEUED, Status.QUEUED
    ]  # fmt: skip
    span = Span(0, ID_MAX)
    counted = (await message_counts(world.connection, span))[()]
    assert (counted["canceled"], counted["pending"]) == (1, 2)
    await process.watch.learn()
    await process.watch.sweep()
    assert await world.results() == {
        (fresh.id, 0): Status.CANCELED,
        (doubtful.id, 0): Status.UNCONFIRMED,
        (begun.id, 1): Status.SENT,
        (begun.id, 0): Status.DROPPED,
    }
    counted = (await message_counts(world.connection, span))[()]
    assert (counted["canceled"], counted["unconfirmed"]) == (1, 1)
    assert counted["sent"] == 2


async def test_of_a_canceled_batch_what_waits_to_go_another_way_is_what_it_came_to(
    process: Process,
) -> None:
    world = process.world
    [message] = messages = world.messages(1)
    batch = await process.batch(messages)
    await world.connection.execute("UPDATE outbox SET way = 1")
    failed = SubmissionRow(
        world.ids.next(), message.id, 1, 1, message.account, message.category, 1, Status.UNDELIVERED
    )
    await insert_submissions(world.connection, [failed])
    await settle_ways(world.connection, ids(messages))
    await process.say(batch, state="canceled")
    before = await standings(world.connection, ids(messages))
    assert before[message.id].status is Status.QUEUED
    span = Span(0, ID_MAX)
    counted = (await message_counts(world.connection, span))[()]
    assert (counted["canceled"], counted["pending"], counted["undelivered"]) == (0, 1, 0)
    await process.watch.learn()
    await process.watch.sweep()
    assert await world.results() == {(message.id, 1): Status.UNDELIVERED}
    counted = (await message_counts(world.connection, span))[()]
    assert (counted["pending"], counted["undelivered"]) == (0, 1)


async def test_a_batch_that_was_forgotten_is_known_again_once_a_message_of_it_waits(
    process: Process,
) -> None:
    """It goes another way, while its batch is paused. Else it would be claimed without end."""
    world = process.world
    [message] = messages = world.messages(1)
    batch = await process.batch(messages, owner=None)
    await process.say(batch, state="paused")
    await world.connection.execute("UPDATE batch_control SET live = false")
    await process.watch.learn()
    assert not process.batches
    (verdicts,) = await world.intents.commit(world.intent(messages))
    assert isinstance(verdicts, dict)
    assert list(verdicts) == [message.id]
    await process.watch.learn()
    assert batch in process.batches


async def test_a_rate_holds_over_two_processes_and_is_changed_on_the_way(
    process: Process,
) -> None:
    """No second sees more than rate and burst, wherever it begins; and the rate is reached."""
    world = process.world
    batch = await process.batch(world.messages(400))
    await process.say(batch, rate="100/s,burst=10")
    await process.watch.learn()
    moments: list[float] = []
    carrier = Carrier()
    carrier.before = lambda: moments.append(time.monotonic())
    async with (
        sending(world, carrier, batches=process.batches) as dispatch,
        sending(world, carrier, batches=process.batches) as second,
        process.claiming(dispatch),
        process.claiming(second),
    ):
        await carrier.came(100)
        await process.say(batch, rate="5000/s")
        await process.watch.learn()
        await world.until(NOTHING_WAITS, 0)
    assert len(carrier.submitted) == 400
    assert moments[-1] - moments[0] > 0.7  # 100 messages at 100/s, 10 of them at once


async def test_a_change_is_refused_to_others_and_unknown_batches_are_none(
    process: Process,
) -> None:
    batch = await process.batch(process.world.messages(2))
    pause = BatchChange(state="paused")
    assert await process.changes.change(ACCOUNT + 1, batch, pause, actor=KEY) is None
    assert await process.changes.change(ACCOUNT, batch + 1, pause, actor=KEY) is None
    await process.watch.learn()
    assert not process.batches


async def test_each_change_is_on_record_and_what_changes_nothing_is_not(process: Process) -> None:
    batch = await process.batch(process.world.messages(2))
    for change in (
        {"state": "paused"}, {"state": "paused"}, {"rate": "50/s, burst=10"},
        {"rate": "50/s, burst=10"}, {"state": "active"}, {"rate": None}, {"state": "canceled"},
        {"state": "canceled"},
    ):  # fmt: skip
        await process.say(batch, **change)
    for account, wrong in ((ACCOUNT + 1, batch), (ACCOUNT, batch + 1)):
        paused = BatchChange("paused")
        assert await process.changes.change(account, wrong, paused, actor=KEY) is None
    with pytest.raises(BatchConflict):
        await process.say(batch, state="active")
    rows = await process.world.connection.fetch("SELECT * FROM audit ORDER BY seq")
    assert {(row["account"], row["actor"]) for row in rows} == {(ACCOUNT, KEY)}
    named = format_id("bat", batch)
    assert [(row["action"], row["detail"]["rate"]) for row in rows] == [
        ("batch.pause", None), ("batch.rate", "50/s,burst=10"), ("batch.resume", "50/s,burst=10"),
        ("batch.rate", None), ("batch.cancel", None),
    ]  # fmt: skip
    assert {row["detail"]["batch"] for row in rows} == {named}
