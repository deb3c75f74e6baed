"""A stored number that cannot be opened: its message ends and says why, the others go."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from dispatch.message import ReadyMessage
from dispatch.outbox import handover as handover_module
from dispatch.outbox import refill
from dispatch.outbox.due_rows import DueRows
from dispatch.queue.batch_pace import BatchPace
from dispatch.routes.detours import Detours
from dispatch.routes.routing import Leg, Route, RouteTable
from dlr.ledger import SubmissionRow, insert_submissions
from dlr.reasons import Reason
from dlr.status import Status
from messages.reading.reader import Messages
from storage.names import Registry
from tests.dispatch.on_the_wire import Carrier, connector, handover, sending
from tests.dispatch.outbox.test_refill import claiming
from tests.dispatch.world import CONNECTOR, VAULT, World, running
from web.api.message_answers import resource

OTHER = CONNECTOR + 1
DAMAGED = bytes(30)


@pytest.fixture
async def world(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(refill, "SWEEP_SECONDS", 0.02)
    monkeypatch.setattr(refill, "DUE_SECONDS", 0.02)
    monkeypatch.setattr(handover_module, "DOWN_SECONDS", 0.0)
    async with running(database_url) as world:
        yield world


async def damage(world: World, message: ReadyMessage) -> None:
    await world.connection.execute(
        "UPDATE message SET to_enc = $2 WHERE id = $1", message.id, DAMAGED
    )


@pytest.mark.parametrize("due", [False, True])
async def test_o13_a_damaged_number_stalls_no_other_of_its_claim(world: World, due: bool) -> None:
    messages = world.messages(5)
    not_before = datetime.now(UTC) - timedelta(seconds=1) if due else None
    await world.store(messages, owner=0, not_before=not_before)
    await damage(world, messages[2])
    carrier = Carrier()
    async with sending(world, carrier) as dispatch, claiming(world, dispatch):
        await carrier.came(4)
        await world.until("SELECT count(*) FROM outbox", 0)
    row = await world.connection.fetchrow(
        "SELECT part, status, reason, error FROM submission WHERE message_id = $1", messages[2].id
    )
    assert row is not None
    assert tuple(row) == (0, Status.FAILED, Reason.INTERNAL, "number unreadable")


@pytest.mark.parametrize(
    ("in_doubt", "status"), [(True, Status.UNCONFIRMED), (False, Status.DROPPED)]
)
async def test_o13_what_may_have_gone_out_is_not_said_to_have_failed(
    world: World, in_doubt: bool, status: Status
) -> None:
    """`in_doubt`: an attempt was never answered; else a part of it was sent."""
    message = world.message(parts=2, text="x" * 300)
    await world.store([message], owner=0)
    await damage(world, message)
    if in_doubt:
        await world.connection.execute("UPDATE outbox SET in_doubt = true")
    else:
        row = SubmissionRow(
            world.ids.next(), message.id, 1, 2, message.account, message.category, CONNECTOR,
            Status.SENT,
        )  # fmt: skip
        await insert_submissions(world.connection, [row])
    async with sending(world, Carrier()) as dispatch, claiming(world, dispatch):
        await world.until("SELECT count(*) FROM outbox", 0)
    assert status == await world.connection.fetchval(
        "SELECT status FROM submission WHERE message_id = $1 AND part = 0", message.id
    )


async def test_o13_the_rates_are_not_asked_about_what_cannot_go(world: World) -> None:
    class Asked:
        active, since = True, 1 << 62

        def released_wait_ns(self, message: object, now_ns: int) -> tuple[int, int]:
            raise AssertionError("asked")

    message = world.message()
    await world.store([message], owner=0, not_before=datetime.now(UTC) - timedelta(seconds=1))
    await world.connection.execute("UPDATE outbox SET hold = 1")
    await damage(world, message)
    due = DueRows(
        CONNECTOR,
        {int(message.category): 10},
        batches=BatchPace(),
        pace=Asked(),  # type: ignore[arg-type]
        vault=VAULT,
        now_ns=0,
    )
    async with world.connection.transaction():
        assert [row["id"] for row in await due.find(world.connection)] == [message.id]


async def test_o13_a_damaged_number_keeps_no_other_from_another_connector(world: World) -> None:
    messages = world.messages(3)
    await world.store(messages, owner=0)
    await damage(world, messages[1])
    routes = (Route(via=(Leg("sim"), Leg("b"))),)
    table = RouteTable(routes, {"sim": CONNECTOR, "b": OTHER}, frozenset({"sim"}))
    moving = handover(world, {CONNECTOR: connector(world)}, Detours(table, str))
    await moving.turn()
    owners = {message: row["connector"] for message, row in (await world.outbox()).items()}
    assert owners == {messages[0].id: OTHER, messages[1].id: CONNECTOR, messages[2].id: OTHER}


async def test_o13_a_message_is_shown_without_its_number(world: World) -> None:
    message = world.message()
    await world.store([message])
    await damage(world, message)
    reader = Messages(world.database.read, Registry({}, {"sim": CONNECTOR}), VAULT)
    view = await reader.message(message.account, message.id)
    assert view is not None
    assert (view.to, view.text) == (None, message.text)
    shown = msgspec.to_builtins(resource(view))
    assert (shown["to"], shown["to_unreadable"]) == (None, True)
    view.to = message.to
    assert "to_unreadable" not in msgspec.to_builtins(resource(view))
