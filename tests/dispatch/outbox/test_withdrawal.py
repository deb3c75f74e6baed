"""What waits for a number that has just opted out: ended at once, and nothing else is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from dispatch.message import MessageOptions, ReadyMessage
from dispatch.outbox import withdrawal as module
from dispatch.outbox.withdrawal import Withdrawal
from dlr.reasons import Reason
from dlr.status import Status
from recipients.scopes import OptOutScopes
from storage.categories import Category
from storage.suppression import EVERY_ACCOUNT, EVERY_CATEGORY, Suppression, add
from tests.dispatch.told import somebody_asks, told_messages
from tests.dispatch.world import CONNECTOR, VAULT, World, running

ACCOUNT = 3
NUMBER, OTHER = "+8613812345678", "+8613912345678"
MARKETING = int(Category.MARKETING)


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with running(database_url) as world:
        yield world


def message(world: World, to: str = NUMBER, **more: object) -> ReadyMessage:
    given = {"category": Category.MARKETING, "account": ACCOUNT, **more}
    return world.message(given.pop("category"), to=to, **given)  # type: ignore[arg-type]


async def opted_out(world: World, to: str = NUMBER, **more: object) -> None:
    given = {"account": ACCOUNT, "category": MARKETING, "reason": Reason.OPTED_OUT, **more}
    entry = Suppression(to_idx=VAULT.index(to), source="keyword", **given)  # type: ignore[arg-type]
    assert await add(world.connection, [entry]) == 1


async def turn(world: World, withdrawal: Withdrawal) -> set[int]:
    """One sweep; the messages that are ended by now."""
    await withdrawal.turn(world.connection, datetime.now(UTC))
    rows = await world.connection.fetch(
        "SELECT message_id FROM submission WHERE part = 0 AND status = $1 AND reason = $2",
        int(Status.SUPPRESSED), int(Reason.OPTED_OUT),
    )  # fmt: skip
    return {row["message_id"] for row in rows}


def sweep(world: World, scopes: OptOutScopes | None = None) -> Withdrawal:
    started = datetime.now(UTC) - timedelta(seconds=1)
    return Withdrawal(world.ids, started, (scopes or OptOutScopes()).covers)


async def test_k10_what_waits_for_who_opted_out_is_ended_and_nothing_else(world: World) -> None:
    withdrawal = sweep(world)
    waiting = [message(world), message(world)]
    spared = [
        message(world, OTHER),
        message(world, category=Category.SERVICE),
        message(world, account=ACCOUNT + 1),
    ]
    exempt = message(world, options=MessageOptions(exempt=True))
    named, begun, doubtful, held = (message(world) for _ in range(4))
    await world.store([*waiting, *spared, exempt, named, begun, doubtful], owner=0)
    await world.store([held])
    execute = world.connection.execute
    await execute("UPDATE outbox SET not_before = now() + '7 days' WHERE id = $1", waiting[1].id)
    await execute("UPDATE message SET options = $1 WHERE id = $2", {"exempt": True}, exempt.id)
    await execute("UPDATE outbox SET in_doubt = true WHERE id = $1", doubtful.id)
    await execute(
        "INSERT INTO submit_intent (id, owner, connector, message_ids) VALUES ($1, 77, $2, $3)",
        world.ids.next(), CONNECTOR, [named.id],
    )  # fmt: skip
    await execute(
        "INSERT INTO submission (id, message_id, part, parts, account, category, connector, status)"
        " VALUES ($1, $2, 1, 2, 3, 3, $3, 10)",
        world.ids.next(), begun.id, CONNECTOR,
    )  # fmt: skip
    assert await turn(world, withdrawal) == set()
    await opted_out(world)
    assert await turn(world, withdrawal) == {each.id for each in waiting}
    assert await turn(world, withdrawal) == {each.id for each in waiting}  # once
    assert withdrawal.withdrawn == 2
    left = await world.connection.fetch("SELECT id FROM outbox")
    kept = [*spared, exempt, named, begun, doubtful, held]
    assert {row["id"] for row in left} == {each.id for each in kept}


async def test_k10_an_opt_out_of_everything_or_of_everybody_ends_all_that_waits(
    world: World,
) -> None:
    withdrawal = sweep(world)
    waiting = [
        message(world, category=category, account=account)
        for category in (Category.SERVICE, Category.MARKETING)
        for account in (ACCOUNT, ACCOUNT + 1)
    ]
    await world.store(waiting, owner=0)
    await opted_out(world, category=EVERY_CATEGORY)
    own = {each.id for each in waiting if each.account == ACCOUNT}
    assert await turn(world, withdrawal) == own
    await opted_out(world, account=EVERY_ACCOUNT, category=EVERY_CATEGORY)
    assert await turn(world, withdrawal) == {each.id for each in waiting}


async def test_k10_of_a_brand_only_what_its_senders_would_send_is_ended(world: World) -> None:
    withdrawal = sweep(world, OptOutScopes({ACCOUNT: {"100": "shop", "200": "shop"}}))
    waiting = [message(world, sender=sender) for sender in ("100", "+200", "300")]
    await world.store(waiting, owner=0)
    await opted_out(world, senders=["100"])
    assert await turn(world, withdrawal) == {each.id for each in waiting[:2]}


async def test_k10_many_opt_outs_at_once_are_swept_in_batches(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those that one sweep has no time for; one that is proved dead is not an opt-out."""
    monkeypatch.setattr(module, "ENTRIES_MAX", 3)
    monkeypatch.setattr(module, "BATCHES_MAX", 2)
    withdrawal = sweep(world)
    numbers = [f"+86138000010{n:02}" for n in range(15)]
    waiting = [message(world, number) for number in numbers]
    await world.store(waiting, owner=0)
    for number in numbers[1:]:
        await opted_out(world, number)
    await opted_out(world, numbers[0], reason=Reason.NUMBER_UNKNOWN)
    sizes = [len(await turn(world, withdrawal)) for _ in range(4)]
    assert sizes == [6, 11, 14, 14]  # each sweep begins with the last entry of the one before


async def test_webhooks_hear_of_it(world: World) -> None:
    await somebody_asks(world.connection, "message.suppressed", account=ACCOUNT)
    withdrawal, waits = sweep(world), message(world)
    await world.store([waits], owner=0)
    await opted_out(world)
    assert await turn(world, withdrawal) == {waits.id}
    told = await told_messages(world.connection)
    assert [(each.message, each.status) for each in told] == [(waits.id, Status.SUPPRESSED)]
