"""Out of the outbox: what is free, in order, as much as there is room for, and nobody else's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from dispatch.dispatcher import Dispatcher
from dispatch.holds import FREED_BY_HAND, Hold
from dispatch.message import ReadyMessage
from dispatch.outbox import refill
from dispatch.outbox.refill import Refiller
from dispatch.queue.batch_pace import BatchPace, LiveBatch
from dispatch.queue.ready_queue import FILL_PERCENT
from dispatch.routes.detours import Detours
from dispatch.routes.routing import RouteTable
from dispatch.wire.connector_dispatch import ConnectorDispatch
from dispatch.wire.querying import Querying
from dlr.ledger import SubmissionRow, insert_submissions
from dlr.status import Status
from messages.accept.pacing import Pacing, PacingRates
from ratelimit.spec import parse_rate
from storage.categories import Category
from tests.dispatch.on_the_wire import Carrier, connector, handover, part_of, say_nothing, sending
from tests.dispatch.world import CLOCK, CONNECTOR, VAULT, World, running
from tests.smpp.recording import eventually

MARKETING = Category.MARKETING


@pytest.fixture
async def world(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(refill, "SWEEP_SECONDS", 0.02)
    monkeypatch.setattr(refill, "DUE_SECONDS", 0.02)
    async with running(database_url) as world:
        yield world


def refiller(
    world: World, dispatch: ConnectorDispatch, batches: BatchPace | None = None
) -> Refiller:
    return Refiller(
        world.database.dedicated("refill"),
        {CONNECTOR: dispatch},
        batches=batches or BatchPace(),
        vault=VAULT,
        ids=world.ids,
        term=world.term.term,
        monotonic=time.monotonic,
        ended=asyncio.Task.cancelled,
    )


@asynccontextmanager
async def claiming(world: World, dispatch: ConnectorDispatch) -> AsyncIterator[Refiller]:
    claims = refiller(world, dispatch)
    claims.start()
    try:
        yield claims
    finally:
        await claims.stop()


def named(world: World, count: int) -> list[ReadyMessage]:
    return [world.message(text=f"m{number}") for number in range(count)]


async def test_free_messages_are_claimed_in_order_and_sent_as_they_were_accepted(
    world: World,
) -> None:
    messages = named(world, 120)
    await world.store(messages, owner=0)
    carrier = Carrier()
    async with sending(world, carrier) as dispatch, claiming(world, dispatch) as claims:
        await carrier.came(120)
        assert claims.claimed == 120
    assert carrier.texts == [message.text for message in messages]
    assert [pdu.destination_addr.decode() for pdu in carrier.submitted] == [
        message.to[1:] for message in messages
    ]
    assert await world.outbox() == {}


async def test_what_others_hold_and_what_waits_for_its_time_stays(world: World) -> None:
    ours, theirs, later, elsewhere, due = named(world, 5)
    await world.store([ours])
    await world.store([theirs], owner=world.term.term + 1)
    await world.store([later], owner=0, not_before=datetime.now(UTC) + timedelta(hours=1))
    await world.store([elsewhere], owner=0)
    await world.connection.execute(
        "UPDATE outbox SET connector = connector + 1 WHERE id = $1", elsewhere.id
    )
    before = await world.outbox()
    await world.store([due], owner=0, not_before=datetime.now(UTC) - timedelta(seconds=1))
    carrier = Carrier()
    async with sending(world, carrier) as dispatch, claiming(world, dispatch) as claims:
        await carrier.came(1)
        await world.recorder.commits.drain()
        await world.until("SELECT count(*) FROM outbox", 4)
        assert claims.claimed == 1
    assert carrier.texts == [due.text]
    assert await world.outbox() == before


async def test_a_retry_keeps_its_attempt_and_its_expiry(world: World) -> None:
    expires_at = (int(time.time()) + 600) * 1000
    message = world.message(attempt=3, expires_at=expires_at)
    await world.store([message], owner=0, not_before=datetime.now(UTC))
    carrier = Carrier(lambda _pdu: 0x08)  # ESME_RSYSERR, to be tried again
    async with sending(world, carrier) as dispatch, claiming(world, dispatch):
        await carrier.came(1)
        await world.until("SELECT max(attempt) FROM outbox", 4)
    assert carrier.submitted[0].validity_period != b""


@pytest.mark.parametrize("attempt", [0, 1])
async def test_e79_parts_with_a_result_are_not_sent_again(world: World, attempt: int) -> None:
    """Attempt 0: the message came back throttled, which uses up none, and its process ended."""
    message = world.message(parts=3, text="x" * 400, attempt=attempt)
    await world.store([message], owner=0)
    row = SubmissionRow(
        world.ids.next(), message.id, 2, 3, message.account, message.category, CONNECTOR,
        Status.SENT,
    )  # fmt: skip
    await insert_submissions(world.connection, [row])
    carrier = Carrier()
    async with sending(world, carrier) as dispatch, claiming(world, dispatch):
        await carrier.came(2)
        await world.until("SELECT count(*) FROM outbox", 0)
    assert [part_of(pdu) for pdu in carrier.submitted] == [1, 3]


async def test_e33_what_late_answers_have_completed_is_ended_and_not_sent(world: World) -> None:
    """One part was answered late, before the other came back: the message waits with nothing left
    to send.
    """
    whole, after = world.message(parts=2, text="x" * 200), world.message(text="after")
    await world.store([whole, after], owner=0, not_before=datetime.now(UTC))
    await insert_submissions(
        world.connection,
        [
            SubmissionRow(
                world.ids.next(), whole.id, part, 2, whole.account, whole.category, CONNECTOR,
                Status.SENT,
            )
            for part in (1, 2)
        ],
    )  # fmt: skip
    carrier = Carrier()
    async with sending(world, carrier) as dispatch, claiming(world, dispatch):
        await world.until("SELECT count(*) FROM outbox", 0)
        await eventually(lambda: dispatch.idle)
    assert carrier.texts == ["after"]
    times = await world.connection.fetchval(
        "SELECT count(*) FROM rollup_change WHERE $1 = ANY (message_ids)", whole.id
    )
    assert times == 1


async def test_no_more_is_claimed_than_there_is_room_and_the_rest_comes_in_time(
    world: World,
) -> None:
    """The bound is in parts; what did not fit is free again, and goes on in order."""
    messages = [world.message(parts=3, text=f"{n:03}" + "x" * 397) for n in range(40)]
    await world.store(messages, owner=0)
    carrier = Carrier(say_nothing)
    async with (
        sending(world, carrier, window=2, capacity_parts=20) as dispatch,
        claiming(world, dispatch) as claims,
    ):
        await carrier.came(2)
        await eventually(lambda: claims.claimed >= 6)
        limit = 20 * FILL_PERCENT[Category.TRANSACTIONAL] // 100
        assert dispatch.ready.parts + dispatch.ready.reserved <= limit
        held = await world.connection.fetchval("SELECT count(*) FROM outbox WHERE owner <> 0")
        assert held < 20
        carrier.react = lambda _pdu: 0
        carrier.answer_oldest(2)
        await carrier.came(120)
        await world.until("SELECT count(*) FROM outbox", 0)
    numbers = [pdu.short_message[6:9] for pdu in carrier.submitted if part_of(pdu) == 1]
    assert numbers == sorted(numbers)
    assert len(numbers) == 40


async def test_a_word_from_the_accepter_is_enough(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without waiting for the next sweep."""
    monkeypatch.setattr(refill, "SWEEP_SECONDS", 3_600)
    monkeypatch.setattr(refill, "DUE_SECONDS", 3_600)
    carrier = Carrier()
    async with sending(world, carrier) as dispatch, claiming(world, dispatch) as claims:
        await asyncio.sleep(0)
        [message] = named(world, 1)
        await world.store([message], owner=0)
        claims.backlog(CONNECTOR, message.category)
        async with asyncio.timeout(40):
            await carrier.came(1)


async def test_an_id_committed_late_below_the_cursor_is_found_by_the_sweep(world: World) -> None:
    late, early = named(world, 2)
    await world.store([early], owner=0)
    carrier = Carrier()
    async with sending(world, carrier) as dispatch, claiming(world, dispatch):
        await carrier.came(1)
        await world.store([late], owner=0)
        await carrier.came(2)
    assert carrier.texts == [early.text, late.text]


async def test_nothing_is_claimed_for_a_connector_that_is_down(world: World) -> None:
    """Another process may have a bind for it."""
    await world.store(named(world, 3), owner=0)
    down = connector(world)
    carrier = Carrier()
    async with claiming(world, down) as claims:
        await world.store([world.message(MARKETING)], owner=0)
        claims.backlog(CONNECTOR, MARKETING)
        await eventually(lambda: not claims._backlog)
        assert claims.claimed == 0
    assert {row["owner"] for row in (await world.outbox()).values()} == {0}
    async with sending(world, carrier) as up, claiming(world, up):
        await carrier.came(4)


async def test_two_processes_claim_no_message_twice(world: World) -> None:
    messages = named(world, 200)
    await world.store(messages, owner=0)
    carriers = Carrier(), Carrier()
    async with (
        sending(world, carriers[0]) as first,
        sending(world, carriers[1]) as second,
        claiming(world, first),
        claiming(world, second),
    ):
        await world.until("SELECT count(*) FROM outbox", 0)
    assert sorted(carriers[0].texts + carriers[1].texts) == sorted(m.text for m in messages)


async def test_it_goes_on_when_its_session_was_lost(world: World) -> None:
    carrier = Carrier()
    async with sending(world, carrier) as dispatch, claiming(world, dispatch):
        await world.store(named(world, 1), owner=0)
        await carrier.came(1)
        ended = await world.connection.fetchval(
            "SELECT count(pg_terminate_backend(pid, 1000)) FROM pg_stat_activity"
            " WHERE application_name LIKE 'smsgate:%:refill' AND datname = current_database()"
        )
        assert ended == 1
        await world.store(named(world, 1), owner=0)
        await carrier.came(2)


# --- the end of a process -------------------------------------------------------------------------


async def test_what_was_only_in_memory_is_given_back(world: World) -> None:
    await world.store(named(world, 3))
    await dispatcher(world).give_back(world.connection)
    assert {row["owner"] for row in (await world.outbox()).values()} == {0}


async def test_what_an_open_intent_names_is_not_given_back(world: World) -> None:
    """Its results could not be stored: it may have been sent, and only recovery may free it."""
    doubtful, free = world.message(MARKETING), world.message(MARKETING)
    await world.store([doubtful, free])
    await world.open_intent(world.intent([doubtful]))
    await dispatcher(world).give_back(world.connection)
    outbox = await world.outbox()
    assert (outbox[doubtful.id]["owner"], outbox[free.id]["owner"]) == (world.term.term, 0)


def dispatcher(world: World) -> Dispatcher:
    dispatch = connector(world)
    claims = refiller(world, dispatch)
    detours = Detours(RouteTable((), {}, frozenset()), str)
    return Dispatcher(
        {CONNECTOR: dispatch},
        intents=world.intents,
        recorder=world.recorder,
        refiller=claims,
        handover=handover(world, {CONNECTOR: dispatch}, detours),
        querying=Querying(
            world.database.dedicated("querying"),
            {CONNECTOR: dispatch},
            CLOCK,
            asyncio.Task.cancelled,
        ),
        term=world.term.term,
    )


async def test_what_is_due_of_one_category_does_not_stand_before_another(world: World) -> None:
    """A campaign is released at eight; a second attempt of a one-time password is due just then."""
    released = [world.message(Category.MARKETING) for _ in range(60)]
    urgent = [world.message(Category.OTP) for _ in range(5)]
    now = datetime.now(UTC)
    await world.store(released, owner=0, not_before=now - timedelta(seconds=60))
    await world.store(urgent, owner=0, not_before=now)
    dispatch = connector(world, capacity_parts=40)
    dispatch._lines[None] = None  # type: ignore[index,assignment]  # up, and nothing is written
    claims = refiller(world, dispatch)
    await claims._claim_due(CONNECTOR)
    waiting = dispatch.ready.scheduler
    assert waiting.parts_of(Category.OTP) == 5
    assert waiting.parts_of(Category.MARKETING) == 40 * FILL_PERCENT[Category.MARKETING] // 100 - 5


async def test_what_is_released_goes_at_the_rates_of_its_account_and_sender(world: World) -> None:
    released = named(world, 30)
    due = datetime.now(UTC) - timedelta(seconds=1)
    await world.store(released, owner=0, not_before=due)
    await world.connection.execute("UPDATE outbox SET hold = $1", Hold.SCHEDULED)
    dispatch = connector(world)
    dispatch._lines[None] = None  # type: ignore[index,assignment]  # up, and nothing is written
    claims = refiller(world, dispatch)
    sender = released[0].sender
    rates = PacingRates(
        accounts={1: parse_rate("100/s,burst=10")},
        senders={(1, sender): parse_rate("10/s,burst=10")},
    )
    claims._pace = pace = Pacing(rates)
    claims._monotonic = lambda: 5.0
    await claims._claim_due(CONNECTOR)
    assert len(dispatch.ready) == 10
    waiting = {key: row for key, row in (await world.outbox()).items() if not row["owner"]}
    assert {row["hold"] for row in waiting.values()} == {Hold.SENDER_RATE}
    moments = sorted(row["not_before"] for row in waiting.values())
    assert moments[-1] - moments[0] == timedelta(seconds=1.9)
    # What found no moment is asked again; what is stopped meanwhile is put where stops are lifted.
    pace.configure(PacingRates(senders={(1, sender): parse_rate("0/s")}), 0)
    await world.connection.execute(
        "UPDATE outbox SET hold = $1, not_before = $2 WHERE owner = 0", Hold.RATE, due
    )
    await claims._claim_due(CONNECTOR)
    waiting = {key: row for key, row in (await world.outbox()).items() if not row["owner"]}
    assert {row["hold"] for row in waiting.values()} == {Hold.SENDER_RATE}
    assert {row["not_before"].replace(tzinfo=UTC) for row in waiting.values()} == {FREED_BY_HAND}


async def test_a_batch_that_goes_on_goes_at_the_rates_and_not_at_once(world: World) -> None:
    batch = world.ids.next()
    paced = named(world, 30)
    await world.store(paced, owner=0, not_before=datetime.now(UTC) - timedelta(seconds=1))
    await world.connection.execute("UPDATE outbox SET batch_id = $1", batch)
    dispatch = connector(world)
    dispatch._lines[None] = None  # type: ignore[index,assignment]  # up, and nothing is written
    batches = BatchPace()
    batches.learn([LiveBatch(batch, paced[-1].id, stopped=True)], 0)
    claims = refiller(world, dispatch, batches)
    claims._pace = Pacing(PacingRates(accounts={1: parse_rate("10/s,burst=10")}))
    claims._monotonic = lambda: 5.0
    await claims._claim_due(CONNECTOR)  # their moments come while the batch is stopped
    assert {row["not_before"] for row in (await world.outbox()).values()} == {None}
    batches.learn([], 0)
    await claims._refill(CONNECTOR, paced[0].category)
    await claims._claim_due(CONNECTOR)
    assert len(dispatch.ready) == 10
    waiting = [row for row in (await world.outbox()).values() if not row["owner"]]
    assert {row["hold"] for row in waiting} == {Hold.ACCOUNT_RATE}


async def test_higher_priority_comes_first_out_of_the_backlog(world: World) -> None:
    messages = named(world, 9)
    await world.store(messages, owner=0)
    for message, priority in zip(messages, (9, 5, 0) * 3, strict=True):
        message.priority = priority
        set_it = "UPDATE {} SET priority = $2 WHERE id = $1"
        for table in ("outbox", "message"):
            await world.connection.execute(set_it.format(table), message.id, priority)
    carrier = Carrier()
    async with sending(world, carrier, window=2) as dispatch, claiming(world, dispatch):
        await carrier.came(9)
        await world.until("SELECT count(*) FROM outbox", 0)
    wanted = sorted(messages, key=lambda message: (message.priority, message.id))
    assert carrier.texts == [message.text for message in wanted]
