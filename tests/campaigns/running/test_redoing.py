"""Whoever cancels a message means the person's: also by the id that it had before an edit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from campaigns.running.redoing import sent_anew
from campaigns.running.states import CampaignState
from messages.accepting import Accepting
from messages.control.cancel import CancelOutcome, MessageCanceler
from messages.models import Accepter, GivenIds, Prepared, Refused, Verdict
from storage.pool import Connection
from tests.campaigns.running.shop import AUTHOR, OTHER, Shop, shopping
from tests.messages.accept.world import ACCOUNT

PEOPLE = 3


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    async with shopping(database_url) as shop:
        await shop.people(PEOPLE)
        yield shop


@pytest.fixture
async def cancels(shop: Shop) -> AsyncIterator[MessageCanceler]:
    dedicated = shop.world.database.dedicated("cancel")
    canceler = MessageCanceler(dedicated, shop.ids, sent_anew=sent_anew)
    yield canceler
    await canceler.close()


async def edited(shop: Shop, campaign: int) -> None:
    """Paused and written anew; what waited is recalled."""
    await shop.desk.pause(OTHER, campaign, "a typing error")
    stored = await shop.one(campaign)
    spec = shop.spec(canary={"share": 0}, schedule={"rate": 10_000 + stored.version})
    await shop.desk.edit(AUTHOR, campaign, stored.revision, spec)
    await shop.end_canceled()
    await shop.desk.resume(OTHER, campaign)
    await shop.connection.execute("UPDATE campaign SET paced_at = paced_at - interval '1 h'")


async def begun(shop: Shop) -> tuple[int, list[int]]:
    """A campaign whose messages wait, and these."""
    campaign = await shop.running()
    await shop.feed.turn()
    return campaign, await waiting(shop)


async def waiting(shop: Shop) -> list[int]:
    return [row["id"] for row in await shop.connection.fetch("SELECT id FROM outbox ORDER BY id")]


async def test_the_cancel_of_an_id_from_before_an_edit_follows_to_what_went_in_its_place(
    shop: Shop, cancels: MessageCanceler
) -> None:
    campaign, old = await begun(shop)
    await edited(shop, campaign)
    await shop.feed.turn()
    new = await waiting(shop)
    assert not set(old) & set(new)
    assert await cancels.cancel(ACCOUNT, old[1], actor="key 1") == CancelOutcome(True, new[1])
    assert await waiting(shop) == [new[0], new[2]]
    assert await cancels.cancel(ACCOUNT, old[1], actor="key 1") == CancelOutcome(False, new[1])
    assert await waiting(shop) == [new[0], new[2]]
    assert cancels.canceled == 1
    await edited(shop, campaign)
    await shop.feed.turn()
    latest = await waiting(shop)
    assert len(latest) == PEOPLE - 1
    assert await cancels.cancel(ACCOUNT, old[2], actor="key 1") == CancelOutcome(True, latest[1])
    assert await cancels.cancel(ACCOUNT, new[0], actor="key 1") == CancelOutcome(True, latest[0])
    assert await waiting(shop) == []


async def test_it_is_too_late_for_the_old_id_when_it_is_for_the_new_one(
    shop: Shop, cancels: MessageCanceler
) -> None:
    campaign, old = await begun(shop)
    await edited(shop, campaign)
    await shop.feed.turn()
    new = await waiting(shop)
    await shop.deliver(limit=1)
    assert await cancels.cancel(ACCOUNT, old[0], actor="key 1") == CancelOutcome(False, new[0])
    assert await waiting(shop) == new[1:]


async def test_nobody_follows_to_the_messages_of_another_account(
    shop: Shop, cancels: MessageCanceler
) -> None:
    campaign, old = await begun(shop)
    await edited(shop, campaign)
    await shop.feed.turn()
    assert not (await cancels.cancel(ACCOUNT + 1, old[0], actor="key 1")).canceled
    assert len(await waiting(shop)) == PEOPLE
    await edited(shop, campaign)
    await shop.feed.turn()
    assert len(await waiting(shop)) == PEOPLE, "nor leaves a word with them"


async def test_what_was_sent_before_the_edit_stands_for_itself(
    shop: Shop, cancels: MessageCanceler
) -> None:
    """Its person got nothing in the new version."""
    campaign, old = await begun(shop)
    await shop.deliver(limit=1)
    await edited(shop, campaign)
    await shop.feed.turn()
    assert len(await waiting(shop)) == PEOPLE - 1
    assert await cancels.cancel(ACCOUNT, old[0], actor="key 1") == CancelOutcome(False, old[0])


@dataclass
class Interposed:
    """An accepter that lets something happen just before it stores, once."""

    inner: Accepter
    first: Callable[[], Awaitable[None]] | None

    async def accept(
        self, items: Sequence[Prepared], *, batch_id: int | None, ids: GivenIds | None = None
    ) -> list[Verdict | Refused]:
        first, self.first = self.first, None
        if first is not None:
            await first()
        return await self.inner.accept(items, batch_id=batch_id, ids=ids)


def just_before(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, first: Callable[[], Awaitable[None]]
) -> None:
    """What is sent next is written already when this happens."""
    monkeypatch.setattr(shop.feed, "_accepter", Interposed(shop.world.accepter, first))


async def test_a_cancel_counts_that_comes_when_the_new_message_is_written_and_not_stored(
    shop: Shop, cancels: MessageCanceler, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign, old = await begun(shop)
    await edited(shop, campaign)

    async def cancel() -> None:
        assert await cancels.cancel(ACCOUNT, old[1], actor="key 1") == CancelOutcome(False, old[1])

    just_before(shop, monkeypatch, cancel)
    await shop.feed.turn()
    told = {row["to_idx"] for row in await shop.messages(campaign) if row["id"] not in old}
    out = next(row["to_idx"] for row in await shop.messages(campaign) if row["id"] == old[1])
    assert len(told) == PEOPLE - 1
    assert out not in told
    reasons = await shop.connection.fetch("SELECT reason FROM campaign_skip")
    assert [row["reason"] for row in reasons] == ["canceled"]
    await shop.deliver()
    await shop.watch.look()
    assert (await shop.one(campaign)).state is CampaignState.FINISHED


class Held:
    """A FlushCheck that keeps the flush open until it is told."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()

    def concerns(self, item: Accepting) -> bool:
        return False

    async def decide(self, connection: Connection, items: Sequence[Accepting]) -> None:
        self.reached.set()
        await self.go_on.wait()


async def test_a_cancel_waits_for_the_new_message_that_is_being_stored(
    shop: Shop, cancels: MessageCanceler
) -> None:
    campaign, old = await begun(shop)
    await edited(shop, campaign)
    held = Held()
    shop.world.accepter.checks = (held,)
    turn = asyncio.ensure_future(shop.feed.turn())
    await held.reached.wait()
    pending = asyncio.ensure_future(cancels.cancel(ACCOUNT, old[0], actor="key 1"))
    waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    try:
        while not await shop.connection.fetchval(waits):
            assert not pending.done()
            await asyncio.sleep(0.005)
    finally:
        held.go_on.set()
    await turn
    outcome = await pending
    assert outcome.canceled
    assert outcome.latest not in old
    assert len(await waiting(shop)) == PEOPLE - 1


async def test_a_cancel_counts_over_an_edit_that_came_before_the_message_was_stored(
    shop: Shop, cancels: MessageCanceler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chunk of the second version stored nobody, and that of the third has them again."""
    campaign, old = await begun(shop)
    await edited(shop, campaign)
    monkeypatch.setattr(shop.feed, "_accepter", Full())
    await shop.feed.turn()
    assert not (await cancels.cancel(ACCOUNT, old[2], actor="key 1")).canceled
    monkeypatch.undo()
    await edited(shop, campaign)
    await shop.feed.turn()
    await shop.feed.turn()
    out = next(row["to_idx"] for row in await shop.messages(campaign) if row["id"] == old[2])
    told = [row["to_idx"] for row in await shop.messages(campaign) if row["id"] not in old]
    assert len(told) == PEOPLE - 1
    assert out not in told
    await shop.deliver()
    await shop.watch.look()
    assert (await shop.one(campaign)).state is CampaignState.FINISHED


class Full:
    """An accepter without room."""

    async def accept(self, items: Sequence[Prepared], **given: Any) -> list[Verdict | Refused]:
        return [Refused("overloaded", "no room") for _ in items]
