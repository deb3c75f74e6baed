"""A further way that waits: it is sent whole, goes to no connector twice, and may end unsent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dispatch.answers.doubt import OutcomePolicy
from dispatch.message import ReadyMessage
from dispatch.outbox import handover as handover_module
from dispatch.outbox import refill
from dispatch.outbox.expiry import Expiry
from dispatch.outbox.recovery import recover
from dispatch.outbox.withdrawal import Withdrawal
from dispatch.routes.detours import Detours
from dispatch.routes.routing import Leg, Route, RouteTable
from dlr.ledger import SubmissionRow, insert_submissions
from dlr.reasons import Reason
from dlr.status import Status
from dlr.ways import settle_ways
from messages.reading.statuses import standings
from storage.categories import Category
from storage.suppression import Suppression, add
from storage.terms import HostIdentity
from tests.dispatch.on_the_wire import Carrier, connector, handover, sending
from tests.dispatch.outbox.test_refill import claiming
from tests.dispatch.told import somebody_asks, told_messages
from tests.dispatch.world import CONNECTOR, World, running

FIRST, THIRD = CONNECTOR + 1, CONNECTOR + 2
NUMBERS = {"sim": CONNECTOR, "a": FIRST, "c": THIRD}


@pytest.fixture
async def world(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(refill, "SWEEP_SECONDS", 0.02)
    monkeypatch.setattr(refill, "DUE_SECONDS", 0.02)
    monkeypatch.setattr(handover_module, "DOWN_SECONDS", 0.0)
    async with running(database_url) as world:
        yield world


def row(
    world: World, message: ReadyMessage, part: int, way: int, status: Status, via: int
) -> SubmissionRow:
    return SubmissionRow(
        id=world.ids.next(), message_id=message.id, part=part, parts=message.parts,
        account=message.account, category=message.category, connector=via, status=status,
        reason=Reason.HANDSET_FULL, receipt_at=datetime.now(UTC), way=way,
    )  # fmt: skip


async def waiting(world: World, owner: int = 0, **fields: Any) -> ReadyMessage:
    """A message that the connector FIRST could not deliver, and that waits for CONNECTOR."""
    message = world.message(Category.MARKETING, **fields)
    await world.store([message], owner=owner)
    await world.connection.execute(
        "UPDATE outbox SET way = 1, tried = $2 WHERE id = $1", message.id, [FIRST]
    )
    parts = range(1, message.parts + 1)
    await insert_submissions(
        world.connection,
        [row(world, message, part, 0, Status.UNDELIVERED, FIRST) for part in parts],
    )
    await settle_ways(world.connection, [message.id])
    return message


async def expire(world: World) -> None:
    await Expiry(world.ids).turn(world.connection, datetime.now(UTC) + timedelta(days=9))


async def opt_out(world: World) -> None:
    number = await world.connection.fetchval("SELECT to_idx FROM message")
    entry = Suppression(
        to_idx=number, source="keyword", account=1, category=Category.MARKETING,
        reason=Reason.OPTED_OUT,
    )  # fmt: skip
    await add(world.connection, [entry])
    now = datetime.now(UTC)
    await Withdrawal(world.ids, now - timedelta(seconds=9)).turn(world.connection, now)


async def damage(world: World) -> None:
    await world.connection.execute("UPDATE message SET to_enc = $1", bytes(30))
    async with sending(world, Carrier()) as dispatch, claiming(world, dispatch):
        await world.until("SELECT count(*) FROM outbox", 0)


@pytest.mark.parametrize(
    ("end", "why"), [(expire, "expired"), (opt_out, "opted_out"), (damage, "internal")]
)
async def test_a_message_whose_next_way_ends_unsent_is_what_the_first_carrier_said(
    world: World, end: Callable[[World], Awaitable[None]], why: str
) -> None:
    await somebody_asks(world.connection)
    message = await waiting(world, expires_at=int(datetime.now(UTC).timestamp() * 1000) + 600_000)
    stands = (await standings(world.connection, [message.id]))[message.id]
    assert stands.status is Status.QUEUED
    await end(world)
    assert await world.outbox() == {}
    assert await world.results() == {(message.id, 1): Status.UNDELIVERED}
    stands = (await standings(world.connection, [message.id]))[message.id]
    assert (stands.status, stands.reason) == (Status.UNDELIVERED, Reason.HANDSET_FULL)
    ((kind, detail),) = await world.events(message.id)
    assert kind == "another_way_ended"
    assert detail == {"connector": CONNECTOR, "reason": why}
    assert [change.message for change in await told_messages(world.connection)] == [message.id]
    named = await world.connection.fetch("SELECT message_ids FROM rollup_change")
    assert [message.id] in [row["message_ids"] for row in named]


async def test_a_way_that_was_begun_ends_as_a_message_does(world: World) -> None:
    """Its other part was sent, so the first carrier's word is not the last any more."""
    message = await waiting(
        world, parts=2, expires_at=int(datetime.now(UTC).timestamp() * 1000) + 600_000
    )
    await insert_submissions(world.connection, [row(world, message, 1, 1, Status.SENT, CONNECTOR)])
    await expire(world)
    stands = (await standings(world.connection, [message.id]))[message.id]
    assert (stands.status, stands.reason) == (Status.EXPIRED, Reason.EXPIRED)


async def test_every_part_goes_the_next_way(world: World) -> None:
    """Parts of the way before have a result; of this one they have none."""
    message = await waiting(world, parts=2, text="x" * 300)
    carrier = Carrier()
    async with sending(world, carrier) as dispatch, claiming(world, dispatch):
        await carrier.came(2)
        await world.until("SELECT count(*) FROM outbox", 0)
    rows = await world.connection.fetch(
        "SELECT part, way, connector, replaced FROM submission ORDER BY way, part"
    )
    assert [tuple(each) for each in rows] == [
        (1, 0, FIRST, True), (2, 0, FIRST, True),
        (1, 1, CONNECTOR, False), (2, 1, CONNECTOR, False),
    ]  # fmt: skip
    stands = (await standings(world.connection, [message.id]))[message.id]
    assert stands.status is Status.SENT


@pytest.mark.parametrize(("names", "to"), [(("sim", "a", "c"), THIRD), (("sim", "a"), CONNECTOR)])
async def test_what_waits_for_a_dead_connector_goes_to_none_that_had_it(
    world: World, names: tuple[str, ...], to: int
) -> None:
    message = await waiting(world, parts=2)
    table = RouteTable((Route(via=tuple(map(Leg, names))),), NUMBERS, frozenset({"sim"}))
    detours = Detours(table, str)
    await handover(world, {CONNECTOR: connector(world)}, detours).turn()
    assert (await world.outbox())[message.id]["connector"] == to
    message.tried = (FIRST,)
    detour = detours.of(CONNECTOR, message)
    assert (detour.connector if detour else CONNECTOR) == to


async def test_a_gateway_that_dies_on_the_next_way_leaves_that_one_in_doubt(world: World) -> None:
    message = await waiting(world, owner=world.term.term)
    await world.open_intent(world.intent([message]))
    await world.connection.execute("UPDATE owner_term SET ended_at = now()")
    await recover(
        world.connection, HostIdentity.current(), own_term=world.term.term + 1, ids=world.ids,
        policy=OutcomePolicy(),
    )  # fmt: skip
    stands = (await standings(world.connection, [message.id]))[message.id]
    assert stands.status is Status.UNCONFIRMED
    rows = await world.connection.fetch(
        "SELECT way, connector, status, replaced FROM submission ORDER BY id"
    )
    assert [tuple(each) for each in rows] == [
        (0, FIRST, Status.UNDELIVERED, True), (1, CONNECTOR, Status.UNCONFIRMED, False),
    ]  # fmt: skip
