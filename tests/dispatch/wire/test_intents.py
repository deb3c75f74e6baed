"""The row before the first byte: committed with the last look at the suppression list, or nothing
may be sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from dispatch.message import Ended, ReadyMessage, StopVerdict
from dispatch.wire.intents import INTENTS_WAITING_MAX, IntentWriter
from dlr.reasons import Reason
from dlr.status import Status
from storage.categories import Category
from storage.faults import is_transient
from storage.group_commit import QueueFull
from storage.pool import Connection
from storage.suppression import Suppression, add
from tests.dispatch.world import World, running
from tests.integration.database_proxy import OPEN_INTENTS, database_proxy


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with running(database_url) as world:
        yield world


async def test_an_intent_names_its_messages_its_term_and_its_connector(world: World) -> None:
    intent = world.intent(world.messages(3))
    assert await world.intents.commit(intent) == [{}]
    record = await world.connection.fetchrow("SELECT * FROM submit_intent")
    assert record is not None
    assert (record["id"], record["owner"], record["connector"]) == (
        intent.id,
        world.term.term,
        intent.connector,
    )
    assert record["message_ids"] == [message.id for message in intent.messages]


async def test_batches_that_come_together_share_one_commit(world: World) -> None:
    intents = [world.intent(world.messages(2)) for _ in range(5)]
    await asyncio.gather(*(world.intents.commit(intent) for intent in intents))
    assert world.intents.commits.flushes == 1
    assert len(await world.intents_open()) == 5


async def test_what_was_suppressed_meanwhile_is_told_and_not_named(world: World) -> None:
    """Every account, this account, another account; every category, this one, another one."""
    messages = world.messages(6, Category.MARKETING)
    (everyone, ours, others, this, that, free) = messages
    reason = Reason.OPTED_OUT
    await add(
        world.connection,
        [
            Suppression(everyone.to_idx, reason, "api"),
            Suppression(ours.to_idx, reason, "api", account=ours.account),
            Suppression(others.to_idx, reason, "api", account=ours.account + 1),
            Suppression(this.to_idx, reason, "api", category=Category.MARKETING),
            Suppression(that.to_idx, reason, "api", category=Category.SERVICE),
        ],
    )
    [verdict] = await world.intents.commit(world.intent(messages))
    suppressed = Ended(Status.SUPPRESSED, reason, "suppression")
    assert verdict == {message.id: suppressed for message in (everyone, ours, this)}
    assert await world.intents_open() == [[others.id, that.id, free.id]]


async def test_verdicts_stay_with_their_batch(world: World) -> None:
    [first], [second] = world.messages(1), world.messages(1)
    await add(world.connection, [Suppression(second.to_idx, Reason.NUMBER_UNKNOWN, "receipt")])
    answers = await asyncio.gather(
        *(world.intents.commit(world.intent([message])) for message in (first, second))
    )
    suppressed = Ended(Status.SUPPRESSED, Reason.NUMBER_UNKNOWN, "suppression")
    assert answers == [[{}], [{second.id: suppressed}]]


async def test_a_refusal_of_the_database_is_the_answer(world: World) -> None:
    await world.connection.execute("ALTER TABLE submit_intent RENAME TO away")
    [failure] = await world.intents.commit(world.intent(world.messages(1)))
    assert isinstance(failure, asyncpg.UndefinedTableError)
    await world.connection.execute("ALTER TABLE away RENAME TO submit_intent")
    assert await world.intents.commit(world.intent(world.messages(1))) == [{}]


class Wary:
    """A look that wants to be asked, or does not, and has nothing against anybody."""

    def __init__(self, *, asks: bool) -> None:
        self._asks = asks
        self.asked = 0

    def asks(self, messages: Sequence[ReadyMessage]) -> bool:
        return self._asks

    async def decide(
        self, connection: Connection, messages: Sequence[ReadyMessage]
    ) -> Mapping[int, StopVerdict]:
        self.asked += 1
        return {}


async def test_nobody_looks_closer_when_nothing_stands_in_the_way(world: World) -> None:
    """An entry of another account or category, or one that has expired, does not."""
    look = Wary(asks=False)
    intents = IntentWriter(
        world.database.dedicated("intent-1"), term=world.term.term, looks=(look,)
    )
    messages = world.messages(4, Category.MARKETING)
    now = datetime.now(UTC)
    reason = Reason.OPTED_OUT
    await add(
        world.connection,
        [
            Suppression(messages[0].to_idx, reason, "api", account=messages[0].account + 1),
            Suppression(messages[1].to_idx, reason, "api", category=Category.SERVICE),
            Suppression(messages[2].to_idx, reason, "api", expires_at=now - timedelta(1)),
        ],
    )
    first, second = world.intent(messages[:3]), world.intent(messages[3:])
    answers = await asyncio.gather(intents.commit(first), intents.commit(second))
    assert [*answers] == [[{}], [{}]]
    assert intents.commits.flushes == 1
    named = [[message.id for message in intent.messages] for intent in (first, second)]
    assert await world.intents_open() == named
    assert look.asked == 0
    await add(world.connection, [Suppression(messages[3].to_idx, reason, "api")])
    assert await intents.commit(world.intent(messages)) == [{}]
    assert look.asked == 1  # and this one lets it pass


@pytest.mark.parametrize(
    ("asks", "commit"), [(False, OPEN_INTENTS), (True, rb"COMMIT")], ids=["at once", "looked at"]
)
async def test_an_intent_whose_commit_was_not_heard_of_is_closed_by_the_next(
    database_url: str, *, asks: bool, commit: bytes
) -> None:
    """Nobody will write its messages under that name; they come again under another."""
    async with (
        database_proxy(database_url) as proxy,
        running(database_url, through=proxy.url) as world,
    ):
        messages = world.messages(2)
        cut = proxy.arm("intent", asked=commit)
        intents = IntentWriter(
            world.database.dedicated("intent"), term=world.term.term, looks=(Wary(asks=asks),)
        )
        [failure] = await intents.commit(world.intent(messages))
        assert isinstance(failure, BaseException)
        assert is_transient(failure)
        await proxy.fired(cut)
        assert await world.intents_open() == [[message.id for message in messages]]
        again = world.intent(messages)
        assert await intents.commit(again) == [{}]
        ids = await world.connection.fetch("SELECT id FROM submit_intent")
        assert [row["id"] for row in ids] == [again.id]


async def test_the_number_of_batches_that_wait_is_bounded(world: World) -> None:
    message = world.message()
    futures = [world.intents.commit(world.intent([message])) for _ in range(INTENTS_WAITING_MAX)]
    with pytest.raises(QueueFull):
        world.intents.commit(world.intent([message]))
    await asyncio.gather(*futures)
    assert await world.count("submit_intent") == INTENTS_WAITING_MAX
