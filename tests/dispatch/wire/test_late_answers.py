"""Answers that come after their time: the doubt is over, and nothing is submitted twice."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from dlr.status import Status
from storage.categories import Category
from tests.dispatch.on_the_wire import Carrier, say_nothing, sending
from tests.dispatch.wire.test_connector_dispatch import named, send, settled
from tests.dispatch.world import World, running


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with running(database_url) as world:
        yield world


async def test_e33_a_late_answer_ends_the_doubt(world: World) -> None:
    messages = named(world, 2, Category.MARKETING)
    carrier = Carrier(say_nothing)
    async with sending(world, carrier, window=2, response_timeout_seconds=0.1) as dispatch:
        await send(world, dispatch, messages)
        await carrier.came(2)
        await settled(world)
        assert set((await world.results()).values()) == {Status.UNCONFIRMED}
        carrier.answer_oldest(2)
        sent = "SELECT count(*) FROM submission WHERE status = 10 AND carrier_id IS NOT NULL"
        await world.until(sent, 2)
        assert dispatch.parts_in_flight == 0
        carrier.react = lambda _pdu: 0
        await send(world, dispatch, [world.message(Category.MARKETING, text="later")])
        await carrier.came(3)
        await settled(world)
    assert await world.outbox() == {}


async def test_e33_what_was_taken_after_all_is_not_submitted_again(world: World) -> None:
    """The answer comes while the message waits for its second attempt."""
    whole, half = world.message(), world.message(text="x" * 200)
    carrier = Carrier(say_nothing)
    async with sending(world, carrier, window=3, response_timeout_seconds=0.1) as dispatch:
        await send(world, dispatch, [whole, half])
        await carrier.came(3)
        await world.until("SELECT count(*) FROM outbox WHERE in_doubt AND owner = 0", 2)
        carrier.answer_oldest(2)  # the short one, and the first part of the long one
        await world.until("SELECT count(*) FROM submission WHERE status = 10", 2)
        await world.until("SELECT count(*) FROM outbox", 1)
    assert list(await world.outbox()) == [half.id]
    assert await world.results() == {(whole.id, 1): Status.SENT, (half.id, 1): Status.SENT}
    assert len(carrier.submitted) == 3
