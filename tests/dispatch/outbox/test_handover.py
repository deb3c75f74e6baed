"""What waits for a connector that is down goes by another; what may have been sent does not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from dispatch.holds import FREED_BY_HAND, Hold
from dispatch.message import ReadyMessage
from dispatch.outbox import handover as handover_module
from dispatch.outbox import stops
from dispatch.outbox.handover import Handover
from dispatch.outbox.stops import StopLook, hasten, lift_stops
from dispatch.routes.detours import Detours
from dispatch.routes.routing import Leg, Route, RouteTable
from dispatch.wire.intents import IntentWriter
from dlr.ledger import SubmissionRow, insert_submissions
from dlr.status import Status
from storage.categories import Category
from storage.names import SANDBOX, SANDBOX_NAME
from tests.dispatch.on_the_wire import Carrier, connector, handover, push, sending
from tests.dispatch.world import CONNECTOR, World, running

OTHER, THIRD = CONNECTOR + 1, CONNECTOR + 2
NUMBERS = {"sim": CONNECTOR, "b": OTHER, "c": THIRD, SANDBOX_NAME: SANDBOX}


@pytest.fixture
async def world(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(handover_module, "DOWN_SECONDS", 0.0)
    async with running(database_url) as world:
        yield world


def table(down: Sequence[str] = ("sim",), *routes: Route) -> Detours:
    everything = Route(via=(Leg("sim"), Leg("b"), Leg("c")))
    return Detours(RouteTable(routes or (everything,), NUMBERS, frozenset(down)), str)


def moving(world: World, detours: Detours) -> Handover:
    """`sim` has no bind; the routes are told who else is up."""
    return handover(world, {CONNECTOR: connector(world)}, detours)


async def test_nothing_leaves_the_sandbox_while_it_is_down(world: World) -> None:
    """It stands in no route, and a connector that no route names has all others."""
    free, due = world.messages(2, Category.OTP)
    await world.store([free], owner=0)
    await world.store([due], owner=0, not_before=datetime.now(UTC) - timedelta(seconds=1))
    await world.connection.execute("UPDATE outbox SET connector = $1", SANDBOX)
    detours = table(("sandbox",))
    sandbox = handover(world, {SANDBOX: connector(world)}, detours)
    await sandbox.turn()
    assert await owners(world) == {free.id: SANDBOX, due.id: SANDBOX}
    assert detours.of(SANDBOX, free) is None


async def owners(world: World) -> dict[int, int]:
    return {message: row["connector"] for message, row in (await world.outbox()).items()}


async def test_e84_what_waits_for_a_dead_connector_goes_by_the_next_that_is_up(
    world: World,
) -> None:
    free = world.messages(3, Category.MARKETING)
    due, later, mine = world.messages(3, Category.OTP)
    now = datetime.now(UTC)
    await world.store(free, owner=0)
    await world.store([due], owner=0, not_before=now - timedelta(seconds=1))
    await world.store([later], owner=0, not_before=now + timedelta(hours=1))
    await world.store([mine])
    moved = moving(world, table(("sim", "b")))
    await moved.turn()
    gone = {message.id: THIRD for message in (*free, due)}
    assert await owners(world) == {**gone, later.id: CONNECTOR, mine.id: CONNECTOR}
    assert moved.moved == 4
    ((kind, detail),) = await world.events(due.id)
    assert kind == "rerouted"
    assert (detail["from"], detail["to"]) == (CONNECTOR, THIRD)
    assert "down: sim, b" in str(detail["reason"])


async def test_e84_each_message_is_routed_anew(world: World) -> None:
    """Its own route decides: number, sender, category, account and tags."""
    german, tagged, alone = (
        world.message(to="+4915112345678"),
        world.message(),
        world.message(sender="BANK"),
    )
    await world.store([german, tagged, alone], owner=0)
    await world.connection.execute("UPDATE message SET tags = '{vip}' WHERE id = $1", tagged.id)
    detours = table(
        ("sim",),
        Route(prefixes=("+49",), via=(Leg("sim"), Leg("b"))),
        Route(tags=frozenset({"vip"}), accounts=frozenset({"1"}), via=(Leg("sim"), Leg("c"))),
        Route(senders=frozenset({"BANK"}), via=(Leg("sim"),)),
    )
    await moving(world, detours).turn()
    assert await owners(world) == {german.id: OTHER, tagged.id: THIRD, alone.id: CONNECTOR}


async def test_e84_what_may_have_been_sent_stays(world: World) -> None:
    message = world.message(attempt=1)
    await world.store([message], owner=0)
    await world.connection.execute("UPDATE outbox SET in_doubt = true")
    await moving(world, table()).turn()
    assert await owners(world) == {message.id: CONNECTOR}
    assert await world.events(message.id) == []


async def test_e80_the_rest_of_a_message_follows_its_first_parts(world: World) -> None:
    begun, whole = world.message(parts=3), world.message(parts=3)
    await world.store([begun, whole], owner=0)
    row = SubmissionRow(world.ids.next(), begun.id, 1, 3, 1, begun.category, CONNECTOR, Status.SENT)
    await insert_submissions(world.connection, [row])
    await moving(world, table()).turn()
    assert await owners(world) == {begun.id: CONNECTOR, whole.id: OTHER}


async def test_nothing_waits_for_a_connector_that_is_configured_away(world: World) -> None:
    """Not what is to be sent again after a doubt either, nor the rest of what was begun."""
    doubted, begun = world.message(attempt=1), world.message(parts=3)
    await world.store([doubted, begun], owner=0)
    await world.connection.execute("UPDATE outbox SET in_doubt = true WHERE id = $1", doubted.id)
    row = SubmissionRow(world.ids.next(), begun.id, 1, 3, 1, begun.category, CONNECTOR, Status.SENT)
    await insert_submissions(world.connection, [row])
    gone = handover(world, {}, table(), configured_away=(CONNECTOR,))
    await gone.turn()
    assert await owners(world) == {doubted.id: OTHER, begun.id: OTHER}
    assert [kind for kind, _ in await world.events(doubted.id)] == ["rerouted"]


async def test_more_than_one_batch_moves_in_one_turn_and_what_cannot_is_passed_over(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover_module, "ROWS_MAX", 2)
    stuck = world.messages(3)
    await world.store(stuck, owner=0)
    await world.connection.execute("UPDATE outbox SET in_doubt = true")
    others = world.messages(4)
    await world.store(others, owner=0)
    await moving(world, table()).turn()
    assert set((await owners(world)).values()) == {CONNECTOR, OTHER}
    assert [(await owners(world))[message.id] for message in others] == [OTHER] * 4


async def test_nothing_is_looked_at_while_no_other_connector_could_take_it(world: World) -> None:
    message = world.message()
    await world.store([message], owner=0)
    await moving(world, table(("sim", "b", "c"))).turn()
    assert await owners(world) == {message.id: CONNECTOR}


async def test_a_connector_that_is_up_keeps_its_messages(world: World) -> None:
    async with sending(world, Carrier()) as dispatch:
        messages = world.messages(2)
        await world.store(messages, owner=0)
        await handover(world, {CONNECTOR: dispatch}, table(())).turn()
        assert set((await owners(world)).values()) == {CONNECTOR}


async def refused(world: World, status: int) -> ReadyMessage:
    """One message that `sim` refuses with this status, while `b` is up."""
    message = world.message()
    await world.store([message])
    carrier = Carrier(lambda _pdu: status)
    async with sending(world, carrier, elsewhere=table(()).of) as dispatch:
        push(dispatch, [message])
        await world.until("SELECT count(*) FROM outbox WHERE owner = 0", 1)
        return message


@pytest.mark.parametrize("status", [0x08, 0x0E, 0x04], ids=["RETRY", "SUSPEND", "RECONNECT"])
async def test_e84_a_refusal_that_blames_the_connector_tries_the_next(
    world: World, status: int
) -> None:
    message = await refused(world, status)
    row = (await world.outbox())[message.id]
    assert (row["connector"], row["attempt"]) == (OTHER, 1)
    assert row["not_before"] <= datetime.now(UTC)  # the other has not refused it: no pause
    assert [kind for kind, _ in await world.events(message.id)] == ["retry", "rerouted"]


async def test_a_status_that_says_nothing_of_the_connector_is_tried_there_again(
    world: World,
) -> None:
    message = await refused(world, 0x0400)
    row = (await world.outbox())[message.id]
    assert row["connector"] == CONNECTOR
    assert row["not_before"] > datetime.now(UTC)


async def test_a_suspended_connector_frees_what_waits_and_comes_back(world: World) -> None:
    async with sending(world, Carrier(lambda _pdu: 0x0E), window=1) as dispatch:
        messages = world.messages(20)
        await world.store(messages)
        push(dispatch, messages)
        await world.until("SELECT count(*) FROM outbox WHERE owner = 0", 20)
        assert (dispatch.up, dispatch.withheld) == (False, ("suspended",))
        dispatch.release("suspended")
        assert dispatch.up


async def test_e40_what_waited_for_a_stopped_account_waits_until_the_stop_is_lifted(
    world: World,
) -> None:
    stopped = {1: Hold.ACCOUNT_RATE}
    world.intents = IntentWriter(
        world.database.dedicated("stops"),
        term=world.term.term,
        looks=(StopLook(lambda account, _sender: stopped.get(account)),),
    )
    await world.connection.execute(
        "INSERT INTO connector (id, name) OVERRIDING SYSTEM VALUE VALUES ($1, 'sim')", CONNECTOR
    )
    held, other = world.message(), world.message(account=2)
    await world.store([held, other])
    carrier = Carrier()
    async with sending(world, carrier) as dispatch:
        push(dispatch, [held, other])
        await carrier.came(1)
        await world.until("SELECT count(*) FROM outbox WHERE owner = 0", 1)
        row = (await world.outbox())[held.id]
        assert (row["hold"], row["attempt"]) == (Hold.ACCOUNT_RATE, 0)
        assert await lift_stops(world.connection, still_stopped=[1]) == 0
        assert await lift_stops(world.connection, still_stopped=[2]) == 1
        row = (await world.outbox())[held.id]
        assert row["hold"] == Hold.RATE  # due, and then at the rates of today
        assert row["not_before"] <= datetime.now(UTC)


async def test_what_waits_for_a_limit_that_is_faster_now_is_asked_about_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stops, "ROWS_MAX", 2)
    later = datetime.now(UTC) + timedelta(hours=1)
    cases = [
        (1, Hold.ACCOUNT_RATE, later, True),
        (2, Hold.ACCOUNT_RATE, later, False),
        (2, Hold.ROUTE_RATE, later, True),
        (1, Hold.SENDER_RATE, later, False),
        (1, Hold.SCHEDULED, later, False),
        (1, Hold.ACCOUNT_RATE, FREED_BY_HAND, False),
    ]
    messages = [world.message(account=account) for account, *_ in cases]
    for message, (_, hold, moment, _) in zip(messages, cases, strict=True):
        await world.store([message], owner=0, not_before=moment)
        await world.connection.execute(
            "UPDATE outbox SET hold = $2 WHERE id = $1", message.id, hold
        )
    faster = {(Hold.ACCOUNT_RATE, 1), (Hold.ROUTE_RATE, None)}
    assert await hasten(world.connection, [OTHER, CONNECTOR], faster) == 2
    rows = await world.outbox()
    due = [rows[message.id]["hold"] == Hold.RATE for message in messages]
    assert due == [hastened for *_, hastened in cases]
