"""What a dead process left: what its open intents name is in doubt, the rest was not sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from dispatch.answers.doubt import OutcomePolicy
from dispatch.answers.error_policy import ATTEMPTS_MAX
from dispatch.message import ReadyMessage
from dispatch.outbox.recovery import Recovered, recover
from dlr.ledger import SubmissionRow, insert_submissions
from dlr.status import Status
from gateway.config.category_settings import DoubtSettings
from gateway.wiring.routes import outcome_policy
from storage.categories import Category
from storage.faults import is_transient
from storage.pool import Connection, close_connection, connect
from storage.terms import HostIdentity, OwnerTerm
from tests.dispatch.world import CONNECTOR, World, running

HERE = HostIdentity.current()
GONE = replace(HERE, pid_started="1")  # our pid, but not the process that has it now
OTP, TRANSACTIONAL, MARKETING = Category.OTP, Category.TRANSACTIONAL, Category.MARKETING


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with running(database_url) as world:
        yield world


@pytest.fixture
async def dead(world: World) -> int:
    """The term of a process that is gone."""
    return (await OwnerTerm.acquire(world.connection, GONE)).term


async def recovering(
    world: World,
    connection: Connection | None = None,
    policy: OutcomePolicy = OutcomePolicy(),  # noqa: B008 - frozen
) -> Recovered:
    return await recover(
        connection or world.connection,
        HERE,
        own_term=world.term.term,
        ids=world.ids,
        policy=policy,
    )


async def left(world: World, dead: int, messages: Sequence[ReadyMessage]) -> None:
    """The dead process had these in memory, and had named them in an intent."""
    await world.store(messages, owner=dead)
    await world.open_intent(world.intent(messages), owner=dead)


async def result(world: World, message: ReadyMessage, part: int = 1) -> None:
    row = SubmissionRow(
        world.ids.next(), message.id, part, message.parts, message.account, message.category,
        CONNECTOR, Status.SENT,
    )  # fmt: skip
    await insert_submissions(world.connection, [row])


async def test_what_no_intent_names_is_freed_as_it_was(world: World, dead: int) -> None:
    messages = world.messages(3)
    await world.store(messages, owner=dead)
    found = await recovering(world)
    assert found == Recovered(terms=1, freed=3)
    for waiting in (await world.outbox()).values():
        assert (waiting["owner"], waiting["attempt"], waiting["not_before"]) == (0, 0, None)
    assert await world.results() == {}
    assert await world.count("event") == 0


async def test_doubt_is_resent_or_held_as_the_category_says(world: World, dead: int) -> None:
    otp, transactional, marketing = messages = [
        world.message(category) for category in (OTP, TRANSACTIONAL, MARKETING)
    ]
    await left(world, dead, messages)
    found = await recovering(world)
    assert (found.resent, found.held, found.settled) == (2, 1, 0)
    waiting = await world.outbox()
    assert list(waiting) == [otp.id, transactional.id]
    assert all((row["owner"], row["attempt"]) == (0, 1) for row in waiting.values())
    assert await world.results() == {(marketing.id, 1): Status.UNCONFIRMED}
    assert await world.intents_open() == []
    for message, policy in ((otp, "resend"), (transactional, "resend"), (marketing, "hold")):
        [(kind, detail)] = await world.events(message.id)
        assert (kind, detail["policy"]) == ("in_doubt", policy)


async def test_doubt_may_be_the_end(world: World, dead: int) -> None:
    policy = outcome_policy(DoubtSettings(otp="fail", marketing="resend"))
    otp, marketing = messages = [world.message(OTP), world.message(MARKETING)]
    await left(world, dead, messages)
    found = await recovering(world, policy=policy)
    assert (found.resent, found.held, found.failed) == (1, 0, 1)
    ((waiting, row),) = (await world.outbox()).items()
    assert (waiting, row["in_doubt"]) == (marketing.id, True)
    assert await world.results() == {(otp.id, 1): Status.FAILED}


async def test_e30_what_was_in_doubt_too_often_is_held(world: World, dead: int) -> None:
    """A message that kills its process each time must not be sent for ever."""
    message = world.message(TRANSACTIONAL, attempt=ATTEMPTS_MAX - 1)
    await left(world, dead, [message])
    found = await recovering(world)
    assert (found.resent, found.held) == (0, 1)
    assert await world.outbox() == {}
    assert await world.results() == {(message.id, 1): Status.UNCONFIRMED}
    [(_, detail)] = await world.events(message.id)
    assert detail["policy"] == "hold"


async def test_an_intent_whose_results_are_stored_is_only_closed(world: World, dead: int) -> None:
    message = world.message(MARKETING)
    await left(world, dead, [message])
    await result(world, message)
    await world.connection.execute("DELETE FROM outbox")
    found = await recovering(world)
    assert (found.settled, found.resent, found.held) == (1, 0, 0)
    assert await world.results() == {(message.id, 1): Status.SENT}
    assert await world.events(message.id) == []
    assert await world.intents_open() == []


async def test_only_the_parts_without_a_result_are_unconfirmed(world: World, dead: int) -> None:
    message = world.message(MARKETING, parts=3)
    await left(world, dead, [message])
    await result(world, message, part=2)
    assert (await recovering(world)).held == 1
    assert await world.results() == {
        (message.id, 1): Status.UNCONFIRMED,
        (message.id, 2): Status.SENT,
        (message.id, 3): Status.UNCONFIRMED,
    }


@pytest.mark.parametrize("category", [TRANSACTIONAL, MARKETING])
async def test_a_message_that_was_answered_and_waits_for_its_retry_is_not_in_doubt(
    world: World, dead: int, category: Category
) -> None:
    """Its intent is still open for another message. The carrier refused it for now:
    it was not sent, and is not counted as a doubt or held."""
    refused, unanswered = world.message(category), world.message(category)
    await world.store([unanswered], owner=dead)
    refused.attempt = 1
    retry_at = datetime.now(UTC) + timedelta(seconds=5)
    await world.store([refused], owner=0, not_before=retry_at)
    await world.open_intent(world.intent([refused, unanswered]), owner=dead)
    await recovering(world)
    waiting = (await world.outbox()).get(refused.id)
    assert waiting is not None
    assert (waiting["attempt"], waiting["not_before"]) == (1, retry_at)
    assert await world.events(refused.id) == []
    assert (refused.id, 1) not in await world.results()
    assert [kind for kind, _ in await world.events(unanswered.id)] == ["in_doubt"]


async def test_what_another_process_has_taken_since_stays_with_it(world: World, dead: int) -> None:
    """It may be on the wire there; freed, it would be sent twice."""
    taken, unanswered = world.messages(2)
    await world.store([unanswered], owner=dead)
    await world.store([taken], owner=world.term.term)
    await world.open_intent(world.intent([taken, unanswered]), owner=dead)
    await recovering(world)
    assert (await world.outbox())[taken.id]["owner"] == world.term.term
    assert await world.events(taken.id) == []


async def test_a_living_process_keeps_what_it_has(world: World, dead: int) -> None:
    ours, theirs = world.messages(2)
    alive = await OwnerTerm.acquire(world.connection, HERE)
    await world.store([ours])
    await world.store([theirs], owner=alive.term)
    await world.open_intent(world.intent([theirs]), owner=alive.term)
    found = await recovering(world)
    assert (found.freed, found.resent) == (0, 0)
    assert {row["owner"] for row in (await world.outbox()).values()} == {
        world.term.term,
        alive.term,
    }
    assert await world.intents_open() == [[theirs.id]]


async def test_its_sessions_are_ended_before_its_work_is_taken(
    world: World, dead: int, database_url: str
) -> None:
    """Its last COMMIT may still be landing: what it had not committed never happens."""
    message = world.message(MARKETING)
    await left(world, dead, [message])
    session = await connect(database_url, application_name=f"smsgate:{dead}:record")
    transaction = session.transaction()
    await transaction.start()
    await session.execute("DELETE FROM outbox")
    assert (await recovering(world)).held == 1
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)) as lost:
        await transaction.commit()
    assert is_transient(lost.value) or isinstance(lost.value, asyncpg.PostgresConnectionError)
    assert await world.results() == {(message.id, 1): Status.UNCONFIRMED}


async def test_running_it_again_changes_nothing(world: World, dead: int) -> None:
    messages = [world.message(category) for category in (OTP, MARKETING)]
    await left(world, dead, messages)
    await recovering(world)
    outbox, results = await world.outbox(), await world.results()
    assert await recovering(world) == Recovered()
    assert (await world.outbox(), await world.results()) == (outbox, results)
    assert await world.count("event") == 2


async def test_a_take_over_that_died_half_way_is_finished_by_the_next(
    world: World, dead: int
) -> None:
    message = world.message(MARKETING)
    await left(world, dead, [message])
    await world.connection.execute("UPDATE owner_term SET ended_at = now() WHERE term = $1", dead)
    assert (await recovering(world)).held == 1
    assert await world.intents_open() == []


async def test_two_at_once_settle_each_message_once(
    world: World, dead: int, database_url: str
) -> None:
    messages = [world.message(MARKETING if n % 2 else TRANSACTIONAL) for n in range(40)]
    await left(world, dead, messages[:30])
    await world.store(messages[30:], owner=dead)
    connections = [await connect(database_url, application_name="test") for _ in range(3)]
    found = Recovered()
    for each in await asyncio.gather(*(recovering(world, one) for one in connections)):
        found.add(each)
    for connection in connections:
        await close_connection(connection)
    assert (found.resent, found.held, found.freed) == (15, 15, 10)
    assert len(await world.results()) == 15
    assert len(await world.outbox()) == 25
    assert await world.count("event") == 30
    assert await world.intents_open() == []


async def test_nothing_dead_is_nothing_done(world: World) -> None:
    await world.store(world.messages(2))
    assert await recovering(world) == Recovered()
    assert {row["owner"] for row in (await world.outbox()).values()} == {world.term.term}
