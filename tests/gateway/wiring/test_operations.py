"""What an operator changes in a running process is on record; what is refused is not."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.config import ConfigError
from gateway.wiring.operations import OperationsDoor
from ratelimit.spec import RateSpec, parse_rate
from storage.ids import IdSource
from tests.messages.accept.world import World, accepting, wall_ms
from web.operator_services import Operator
from web.services import ConfigurationRefused, ConnectorUnknown, Reloaded

BY = Operator(3, "key 9")


class Process:
    """Implements Reloading: one connector, and a configuration that may be wrong."""

    def __init__(self) -> None:
        self.wrong = False
        self.asked: list[tuple[str, RateSpec | bool | None, bool | None]] = []

    async def reload(self, *, allow_removals: bool = False) -> Reloaded:
        if self.wrong:
            raise ConfigError("no such thing")
        return Reloaded(
            added=["a"], removed=[], adjusted=["b", "c"], rebinding=["d"], restart_needed=[]
        )

    def change_connector(
        self, name: str, rate: RateSpec | bool | None, paused: bool | None
    ) -> None:
        if name != "carrier-a":
            raise ConnectorUnknown(name)
        self.asked.append((name, rate, paused))


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with accepting(database_url) as world:
        yield world


async def test_what_is_done_leaves_a_row_and_what_is_refused_does_not(world: World) -> None:
    process = Process()
    door = OperationsDoor(process, world.database.dedicated("operations"), IdSource(9, wall_ms))
    await door.change_connector(BY, "carrier-a", parse_rate("50/s"), None)
    await door.change_connector(BY, "carrier-a", False, True)
    await door.reload(BY)
    with pytest.raises(ConnectorUnknown):
        await door.change_connector(BY, "carrier-b", None, None)
    process.wrong = True
    with pytest.raises(ConfigurationRefused):
        await door.reload(BY)
    assert process.asked == [("carrier-a", parse_rate("50/s"), None), ("carrier-a", False, True)]
    rows = await world.connection.fetch("SELECT * FROM audit ORDER BY seq")
    assert {(row["account"], row["actor"]) for row in rows} == {(3, "key 9")}
    assert [(row["action"], row["detail"]) for row in rows] == [
        ("connector.change", {"target": "carrier-a", "changed": ["rate"], "paused": None}),
        ("connector.change", {"target": "carrier-a", "changed": ["paused"], "paused": True}),
        ("configuration.reload", {"added": 1, "removed": 0, "changed": 3}),
    ]
