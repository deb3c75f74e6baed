"""A canceled message is never written after its cancel was answered, wherever it was waiting."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from dispatch.holds import Hold
from dispatch.message import Later
from dispatch.wire.intents import IntentWriter
from dispatch.wire.last_look import SuppressionLook
from dlr.ledger import SubmissionRow, insert_submissions
from dlr.status import Status
from messages.control.cancel import BY_ITSELF, MessageCanceler
from messages.control.look import ControlLook
from storage.pool import Connection, close_connection, connect
from tests.dispatch.on_the_wire import Carrier, push, sending
from tests.dispatch.world import CONNECTOR, World, running, wall_ms

ACCOUNT = 1


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with running(database_url) as world:
        world.intents = IntentWriter(
            world.database.dedicated("intent"),
            term=world.term.term,
            looks=(ControlLook(wall_ms), SuppressionLook()),
        )
        yield world


def canceler(world: World) -> MessageCanceler:
    return MessageCanceler(world.database.dedicated("cancel"), world.ids, sent_anew=nothing_anew)


async def nothing_anew(connection: Connection, messages: Sequence[int]) -> dict[int, Sequence[int]]:
    return {}


async def stops(cancels: MessageCanceler, account: int, message: int) -> bool:
    outcome = await cancels.cancel(account, message, actor="key 7")
    assert outcome.latest == message
    return outcome.canceled


async def test_what_waits_is_taken_out_with_its_status_in_one_transaction(world: World) -> None:
    message, other = world.messages(2)
    await world.store([message, other], owner=0)
    cancels = canceler(world)
    assert await stops(cancels, ACCOUNT, message.id)
    assert list(await world.outbox()) == [other.id]
    assert await world.results() == {(message.id, 0): Status.CANCELED}
    assert await world.count("message_cancel") == 0  # nobody holds it in memory
    assert not await stops(cancels, ACCOUNT, message.id)
    assert not await stops(cancels, ACCOUNT + 1, other.id)
    assert not await stops(cancels, ACCOUNT, other.id + 1)
    assert list(await world.outbox()) == [other.id]


async def test_what_is_in_memory_is_dropped_at_the_last_look(world: World) -> None:
    """The process that holds it is not told: its intent's transaction is."""
    messages = world.messages(3)
    await world.store(messages)
    assert await stops(canceler(world), ACCOUNT, messages[1].id)
    carrier = Carrier()
    async with sending(world, carrier) as dispatch:
        push(dispatch, messages)
        await carrier.came(2)
        await world.until("SELECT count(*) FROM outbox", 0)
        assert dispatch.parts_written == 2
    assert len(carrier.submitted) == 2
    assert (await world.results())[messages[1].id, 0] == Status.CANCELED
    assert await world.count("message_cancel") == 0
    assert await world.intents_open() == []
    assert [kind for kind, _ in await world.events(messages[1].id)] == []


async def test_what_an_intent_names_is_too_late(world: World) -> None:
    messages = world.messages(2)
    await world.store(messages)
    await world.open_intent(world.intent(messages[:1]))
    cancels = canceler(world)
    assert not await stops(cancels, ACCOUNT, messages[0].id)
    assert await stops(cancels, ACCOUNT, messages[1].id)


async def test_what_was_or_may_have_been_on_the_wire_is_too_late(world: World) -> None:
    half, doubtful, retried = world.message(parts=2), world.message(), world.message(attempt=1)
    await world.store([half, doubtful, retried], owner=0)
    row = SubmissionRow(world.ids.next(), half.id, 1, 2, 1, 1, CONNECTOR, Status.SENT)
    await insert_submissions(world.connection, [row])
    doubt = "UPDATE outbox SET in_doubt = true WHERE id = $1"
    await world.connection.execute(doubt, doubtful.id)
    cancels = canceler(world)
    assert not await stops(cancels, ACCOUNT, half.id)
    assert not await stops(cancels, ACCOUNT, doubtful.id)
    assert await stops(cancels, ACCOUNT, retried.id)  # the carrier said no: it has nothing


async def test_a_cancel_waits_for_the_intent_that_is_being_written(
    world: World, database_url: str
) -> None:
    """It began before and may have named the message: only its end tells."""
    message = world.message()
    await world.store([message])
    intent = await connect(database_url, application_name="intent")
    looks = ControlLook(wall_ms)
    transaction = intent.transaction()
    await transaction.start()
    assert await looks.decide(intent, [message]) == {}
    pending = asyncio.ensure_future(stops(canceler(world), ACCOUNT, message.id))
    waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    await world.until(waits, 1)
    await intent.execute(
        "INSERT INTO submit_intent (id, owner, connector, message_ids) VALUES ($1, $2, $3, $4)",
        world.ids.next(), world.term.term, CONNECTOR, [message.id],
    )  # fmt: skip
    assert not pending.done()
    await transaction.commit()
    assert not await pending
    assert list(await world.outbox()) == [message.id]
    await close_connection(intent)


async def test_cancels_that_come_together_share_commits(world: World) -> None:
    messages = world.messages(50)
    await world.store(messages, owner=0)
    cancels = canceler(world)
    outcomes = await asyncio.gather(*(stops(cancels, ACCOUNT, m.id) for m in messages))
    assert all(outcomes)
    assert cancels.commits.flushes <= 2
    assert await world.count("submission") == 50


async def test_a_stopped_message_goes_back_for_now(world: World) -> None:
    message = world.message()
    await world.store([message])
    assert await stops(canceler(world), ACCOUNT, message.id)
    [verdict] = await world.intents.commit(world.intent([message]))
    assert isinstance(verdict, dict)
    later = verdict[message.id]
    assert isinstance(later, Later)
    assert later.hold is Hold.PAUSED


async def test_what_went_with_its_batch_is_on_record_as_canceled_by_itself(world: World) -> None:
    """Nobody else's, and no other end: what was answered before stays as it was said."""
    swept, other, expired = world.messages(3)
    rows = [
        SubmissionRow(world.ids.next(), each.id, 0, 1, ACCOUNT, 1, CONNECTOR, status)
        for each, status in (
            (swept, Status.CANCELED), (other, Status.CANCELED), (expired, Status.EXPIRED),
        )
    ]  # fmt: skip
    await insert_submissions(world.connection, rows)
    cancels = canceler(world)
    for account, message in ((ACCOUNT, swept), (ACCOUNT + 1, other), (ACCOUNT, expired)):
        assert not await stops(cancels, account, message.id)
    said = await world.connection.fetch("SELECT message_id, error FROM submission")
    assert {row["message_id"]: row["error"] for row in said} == {
        swept.id: BY_ITSELF, other.id: None, expired.id: None,
    }  # fmt: skip


async def test_a_cancel_is_on_record_and_what_came_too_late_is_not(world: World) -> None:
    """One row for each who asked, however many cancels they sent together."""
    messages = world.messages(5)
    await world.store(messages, owner=0)
    late = world.messages(1)[0]
    cancels = canceler(world)
    wanted = [*((each, "key 7") for each in messages[:3]), (messages[3], "key 8"), (late, "key 8")]
    await asyncio.gather(*(cancels.cancel(ACCOUNT, each.id, actor=by) for each, by in wanted))
    await cancels.cancel(ACCOUNT, messages[3].id, actor="key 9")
    rows = await world.connection.fetch("SELECT * FROM audit ORDER BY actor, seq")
    assert {row["action"] for row in rows} == {"message.cancel"}
    by = {actor: [row["detail"] for row in rows if row["actor"] == actor] for _, actor in wanted}
    assert len(rows) == sum(map(len, by.values()))
    assert sum(each["messages"] for each in by["key 7"]) == 3
    assert (by["key 7"][0]["first"], by["key 7"][-1]["last"]) == (messages[0].id, messages[2].id)
    assert [(each["messages"], each["first"]) for each in by["key 8"]] == [(1, messages[3].id)]
