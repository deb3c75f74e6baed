"""Webhooks hear when a connector goes down and comes back, and not of one that was never up."""

from __future__ import annotations

from dispatch.wire.connector_watch import ConnectorWatch
from tests.dispatch.told import somebody_asks, told_others
from tests.dispatch.world import running, wall_ms


async def test_a_connector_that_goes_and_comes_is_told_once_each(database_url: str) -> None:
    async with running(database_url) as world:
        await somebody_asks(world.connection, "connector.*")
        down = {"a", "b"}
        watch = ConnectorWatch(
            world.database.dedicated("watch"), names=lambda: ("a", "b"), down=down, ids=world.ids,
            wall_ms=wall_ms, ended=lambda _: None,
        )  # fmt: skip
        for change in (set(), {"b"}, {"b"}, {"a", "b"}, {"a", "b"}, {"b"}):
            down.clear()
            down.update(change)
            await watch.look()
        told = [
            (kind, data["connector"]) for kind, _, _, data in await told_others(world.connection)
        ]
    assert told == [
        ("connector.down", "b"),
        ("connector.down", "a"),
        ("connector.up", "a"),
    ]
