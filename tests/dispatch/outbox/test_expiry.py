"""What expires in the outbox ends there, once, and what somebody holds is left to him."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from dispatch.outbox.expiry import Expiry
from dlr.reasons import Reason
from dlr.status import Status
from tests.dispatch.world import World, running


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with running(database_url) as world:
        yield world


async def test_what_waited_too_long_expires(world: World) -> None:
    now = datetime.now(UTC)
    past, future = int(now.timestamp() * 1000) - 1000, int(now.timestamp() * 1000) + 60_000
    gone, scheduled, doubted = (world.message(expires_at=past) for _ in range(3))
    alive, held_in_memory = world.message(expires_at=future), world.message(expires_at=past)
    await world.store([gone, alive, doubted], owner=0)
    await world.store([scheduled], owner=0, not_before=now + timedelta(days=1))
    await world.store([held_in_memory])
    await world.connection.execute("UPDATE outbox SET in_doubt = true WHERE id = $1", doubted.id)
    step = Expiry(world.ids)
    await step.turn(world.connection, now)
    assert step.expired == 3
    assert set(await world.outbox()) == {alive.id, held_in_memory.id}
    assert await world.results() == {
        (gone.id, 0): Status.EXPIRED,
        (scheduled.id, 0): Status.EXPIRED,
        (doubted.id, 0): Status.UNCONFIRMED,
    }
    assert await world.connection.fetchval("SELECT min(reason) FROM submission") == Reason.EXPIRED
    await step.turn(world.connection, now)
    assert step.expired == 3
