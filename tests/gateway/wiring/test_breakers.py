"""What is found unlike other days opens the breaker that is configured to, and no other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import msgspec
import pytest

from dispatch.breakers.machine import State
from dispatch.breakers.scopes import Scope
from dlr.anomalies.detectors import drop
from dlr.anomalies.keys import Place
from dlr.anomalies.significance import Share, level_of
from dlr.anomalies.watch import Suspicion
from gateway.wiring.breakers import tripping
from tests.dispatch.breakers.world import Breakers
from tests.dispatch.world import World, running

NOW = datetime.now(UTC)


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with running(database_url) as world:
        yield world


def suspicion(scope: str = "connector", subject: str = "sim") -> Suspicion:
    finding = drop(Share(700, 1000), Share(6658, 7000), 1, level_of(200))
    assert finding is not None
    return Suspicion(
        place=Place(scope, subject), finding=finding, began_at=NOW, baseline=0.951, wait_ms=90_000
    )


async def test_a_drop_opens_the_breaker_of_its_connector(world: World) -> None:
    breakers = Breakers(world, by_itself=[Scope.CONNECTOR])
    trip = tripping(breakers.desk)
    assert await trip(suspicion())
    assert not await trip(suspicion())  # it is open
    found = await breakers.desk.shown(Scope.CONNECTOR, "sim")
    assert found is not None
    stored, _ = found
    assert (stored.breaker.state, stored.actor) == (State.OPEN, "detector drop")
    assert stored.reason == "drop: 0.7, usually 0.951143"
    assert (stored.breaker.baseline, stored.breaker.wait_ms) == (0.951, 90_000)
    bundle = await breakers.desk.evidence(Scope.CONNECTOR, "sim")
    assert bundle is not None
    test = msgspec.json.decode(bundle)["test"]
    assert (test["detector"], test["part"], test["usual_whole"]) == ("drop", 700, 7000)
    await breakers.watch.learn()
    message = world.message()
    await world.store([message])
    (result,) = await world.intents.commit(world.intent([message]))
    assert isinstance(result, dict)
    assert list(result) == [message.id]


@pytest.mark.parametrize(
    ("scope", "subject"), [("sender", "default:SHOP"), ("connector", "configured away")]
)
async def test_what_is_not_configured_opens_nothing(world: World, scope: str, subject: str) -> None:
    breakers = Breakers(world, by_itself=[Scope.CONNECTOR])
    assert not await tripping(breakers.desk)(suspicion(scope, subject))
    assert await world.count("breaker") == 0
