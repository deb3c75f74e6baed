"""Before the wire: what a breaker covers goes elsewhere, waits, or goes as a counted probe."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from dispatch.breakers.rows import LIFT_ROWS_MAX
from dispatch.breakers.scopes import Scope
from dispatch.holds import FREED_BY_HAND, Hold
from dispatch.message import Later, Move, ReadyMessage, StopVerdict
from dispatch.wire.intents import IntentWriter
from storage.categories import Category
from storage.ids import format_id
from tests.dispatch.breakers.world import HOUR, MINUTE_MS, OTHER, Breakers, by_hand
from tests.dispatch.on_the_wire import Carrier, push, sending
from tests.dispatch.world import CONNECTOR, World, running


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with running(database_url) as world:
        yield world


async def committed(
    world: World, messages: Sequence[ReadyMessage], intents: IntentWriter | None = None
) -> dict[int, StopVerdict]:
    """What the intent of these says."""
    writer = world.intents if intents is None else intents
    (result,) = await writer.commit(world.intent(messages))
    assert isinstance(result, dict)
    return result


async def test_nothing_open_costs_no_statement(world: World) -> None:
    breakers = Breakers(world)
    assert not breakers.look.asks(world.messages(3))


async def test_an_open_breaker_stops_new_intents_and_says_why(world: World) -> None:
    breakers = Breakers(world)
    messages = world.messages(3)
    await world.store(messages)
    await breakers.open()
    carrier = Carrier()
    async with sending(world, carrier) as dispatch:
        push(dispatch, messages)
        await world.until("SELECT count(*) FROM outbox WHERE owner = 0 AND hold = 12", 3)
    assert not carrier.submitted
    rows = await world.outbox()
    assert {row["not_before"] for row in rows.values()} == {FREED_BY_HAND}
    ((kind, detail),) = await world.events(messages[0].id)
    assert kind == "held"
    assert (detail["rule"], detail["scope"], detail["subject"]) == ("breaker", "connector", "sim")
    assert await world.count("breaker_hold") == 3


async def test_what_may_go_by_another_connector_does(world: World) -> None:
    breakers = Breakers(world, ways={CONNECTOR: OTHER, OTHER: CONNECTOR})
    free = world.message()
    begun = world.message(parts=2, parts_done=frozenset({1}))
    doubted = world.message(in_doubt=True)
    await world.store([free, begun, doubted])
    await breakers.open()
    verdicts = await committed(world, [free, begun, doubted])
    assert verdicts[free.id] == Move(OTHER, "breaker of connector sim")
    assert isinstance(verdicts[begun.id], Later)
    assert isinstance(verdicts[doubted.id], Later)
    carrier = Carrier()
    async with sending(world, carrier) as dispatch:
        push(dispatch, [free])
        await world.until(f"SELECT connector FROM outbox WHERE id = {free.id}", OTHER)
    row = (await world.outbox())[free.id]
    assert (row["owner"], row["hold"], row["attempt"]) == (0, Hold.RETRY, 0)
    ((kind, detail),) = await world.events(free.id)
    assert (kind, detail["from"], detail["to"]) == ("rerouted", CONNECTOR, OTHER)


async def test_where_every_way_is_open_it_waits(world: World) -> None:
    breakers = Breakers(world, ways={CONNECTOR: OTHER, OTHER: CONNECTOR})
    message = world.message()
    await world.store([message])
    await breakers.open()
    await breakers.open(subject="b")
    verdicts = await committed(world, [message])
    assert isinstance(verdicts[message.id], Later)


async def test_a_batch_s_breaker_holds_only_that_batch(world: World) -> None:
    breakers = Breakers(world, ways={CONNECTOR: OTHER})
    batch = world.ids.next()
    inside, outside = world.message(batch_id=batch), world.message()
    await world.store([inside, outside])
    await world.connection.execute(
        "INSERT INTO batch_control (id, account, until_id) VALUES ($1, 1, $2)", batch, inside.id
    )
    await breakers.open(Scope.BATCH, format_id("bat", batch))
    verdicts = await committed(world, [inside, outside])
    assert verdicts == {
        inside.id: Later(
            None, Hold.BREAKER, (("scope", "batch"), ("subject", format_id("bat", batch)))
        )
    }


async def test_a_campaign_s_and_an_operator_s_breaker(world: World) -> None:
    breakers = Breakers(world)
    campaign, other = world.message(), world.message()
    foreign = world.message(to="+491701234567")
    await world.store([campaign, other, foreign])
    await world.connection.execute(
        "UPDATE message SET campaign_id = 'summer' WHERE id = $1", campaign.id
    )
    await breakers.open(Scope.CAMPAIGN, "default:summer")
    assert list(await committed(world, [campaign, other])) == [campaign.id]
    await breakers.desk.close(Scope.CAMPAIGN, "default:summer", by_hand())
    await breakers.open(Scope.OPERATOR, "sim:China Mobile")
    assert list(await committed(world, [other, foreign])) == [other.id]


async def test_g19_two_processes_let_exactly_one_round_through(world: World) -> None:
    breakers = Breakers(world)
    await breakers.open()
    await breakers.time_passes((HOUR + 1) * 1000)
    second = IntentWriter(
        world.database.dedicated("intent-2"), term=world.term.term, looks=world.intents.looks
    )
    messages = world.messages(60)
    await world.store(messages)
    slices = [messages[at : at + 6] for at in range(0, 60, 6)]
    found = await asyncio.gather(
        *(
            committed(world, part, second if place % 2 else None)
            for place, part in enumerate(slices)
        )
    )
    await second.close()
    stopped = {message for each in found for message in each}
    assert len(messages) - len(stopped) == 20
    probes = await world.connection.fetch("SELECT message_id FROM breaker_probe")
    assert {row["message_id"] for row in probes} == {each.id for each in messages} - stopped
    assert await committed(world, [each for each in messages if each.id not in stopped]) == {}
    assert await world.connection.fetchval("SELECT taken FROM breaker") == 20


async def test_g23_one_time_passwords_go_and_take_no_probe(world: World) -> None:
    breakers = Breakers(world)
    await breakers.open()
    otp = world.message(Category.OTP)
    await world.store([otp])
    assert await committed(world, [otp]) == {}
    await breakers.time_passes((HOUR + 1) * 1000)
    assert await committed(world, [otp]) == {}
    assert await world.count("breaker_probe") == 0


async def test_a_message_of_two_breakers_takes_room_in_both_or_in_none(world: World) -> None:
    breakers = Breakers(world)
    await breakers.open()
    await breakers.open(Scope.SENDER, "default:SHOP", seconds=2 * HOUR)
    await breakers.time_passes((HOUR + 1) * 1000)
    messages = world.messages(3)
    await world.store(messages)
    verdicts = await committed(world, messages[:1])
    (verdict,) = verdicts.values()
    assert isinstance(verdict, Later)
    assert ("scope", "sender") in verdict.about
    assert await world.count("breaker_probe") == 0
    await breakers.time_passes(HOUR * 1000)
    assert await committed(world, messages[1:]) == {}
    assert await world.count("breaker_probe") == 4


async def test_a_breaker_closed_meanwhile_by_another_process_lets_go(world: World) -> None:
    breakers = Breakers(world)
    await breakers.open()
    await breakers.time_passes((HOUR + 1) * 1000)
    message = world.message()
    await world.store([message])
    await breakers.desk.close(Scope.CONNECTOR, "sim", by_hand())
    assert breakers.board  # not learnt yet
    assert await committed(world, [message]) == {}


async def test_what_was_held_is_let_go_in_slices_when_it_closes(world: World) -> None:
    breakers = Breakers(world)
    messages = world.messages(LIFT_ROWS_MAX + 2)
    await world.store(messages, owner=0, not_before=FREED_BY_HAND)
    await world.connection.execute("UPDATE outbox SET hold = $1", Hold.BREAKER)
    await breakers.open()
    await world.connection.execute(
        "INSERT INTO breaker_hold (breaker, message_id)"
        " SELECT breaker.id, outbox.id FROM breaker, outbox"
    )
    mine, gone = messages[0], messages[1]
    await world.connection.execute(
        "UPDATE outbox SET owner = $2, not_before = NULL, hold = 0 WHERE id = $1",
        mine.id,
        world.term.term,
    )
    await world.connection.execute("DELETE FROM outbox WHERE id = $1", gone.id)
    await breakers.desk.close(Scope.CONNECTOR, "sim", by_hand())
    await breakers.time_passes(MINUTE_MS)
    free = await world.connection.fetchval(
        "SELECT count(*) FROM outbox WHERE hold = $1 AND not_before <= now()", Hold.RATE
    )
    assert free == LIFT_ROWS_MAX
    left = await world.connection.fetch("SELECT message_id FROM breaker_hold")
    assert [row["message_id"] for row in left] == [mine.id]  # its process has it in memory yet
    await world.connection.execute(
        "UPDATE outbox SET owner = 0, not_before = $2, hold = $3 WHERE id = $1",
        mine.id,
        FREED_BY_HAND,
        Hold.BREAKER,
    )
    await breakers.time_passes(MINUTE_MS)
    assert (await world.outbox())[mine.id]["hold"] == Hold.RATE
    assert await world.count("breaker_hold") == 0
