"""An answer that says that the session is of no use ends it, and another one is bound."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from dispatch.wire import connector_dispatch
from dlr.status import Status
from tests.dispatch.on_the_wire import Carrier, sending
from tests.dispatch.world import World, running
from tests.smpp.recording import eventually

NOT_BOUND = 0x04


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with running(database_url) as world:
        yield world


async def test_a_session_that_is_of_no_use_is_ended_and_bound_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connector_dispatch, "RECONNECT_DRAIN_SECONDS", 0.1)
    messages = [world.message(text=text) for text in ("refused", "silent", "late")]
    refused, silent, late = messages
    carrier = Carrier(lambda _pdu: None)
    async with sending(world, carrier, window=10) as dispatch:
        await world.store(messages)
        assert dispatch.ready.reserve(3, refused.category)
        dispatch.push(messages)
        await carrier.came(3)
        carrier.react = lambda _pdu: 0
        [(session, to_refuse), _, (_, to_answer)] = carrier.unanswered
        carrier.respond(session, to_refuse, NOT_BOUND)
        carrier.respond(session, to_answer)  # what is in flight may still be answered
        await eventually(lambda: len(carrier.sessions) == 2 and dispatch.up)
        # The last of them was handed over, and its category is asked what becomes of it.
        await world.until("SELECT count(*) FROM outbox WHERE owner = 0", 2)
        assert [kind for kind, _ in await world.events(silent.id)] == ["in_doubt"]
        assert [kind for kind, _ in await world.events(refused.id)] == ["retry"]
        assert await world.results() == {(late.id, 1): Status.SENT}
        another = world.message(text="another")
        await world.store([another])
        assert dispatch.ready.reserve(1, another.category)
        dispatch.push([another])
        await carrier.came(4)
        assert carrier.sessions_of == [*[session] * 3, carrier.sessions[1]]
    assert session.protocol.machine._peer_unbind_sequence is not None  # ended in good order
