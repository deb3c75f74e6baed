"""When what waits is expected to go."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.control.batches import BatchView
from messages.control.finish import FINISH_MAX, Ahead, Finish, batch_finish, finish_at
from storage.categories import Category
from tests.dispatch.world import CONNECTOR, World, running

NOW = datetime(2026, 11, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ahead", "paces", "rate", "seconds"),
    [
        ({1: Ahead(100, 0)}, {1: 50.0}, None, 2),
        ({1: Ahead(100, 400)}, {1: 50.0}, None, 10),  # others go first
        ({1: Ahead(100, 0), 2: Ahead(100, 0)}, {1: 50.0, 2: 10.0}, None, 10),  # the slower one
        ({1: Ahead(100, 0)}, {1: 50.0}, 5.0, 20),  # the batch's own rate
        ({1: Ahead(100, 0)}, {1: None}, None, 0),  # nothing limits it
        ({1: Ahead(1, 0, NOW + timedelta(hours=1))}, {1: 50.0}, None, 3_600),  # scheduled
        ({}, {1: 50.0}, None, None),  # nothing waits
        ({1: Ahead(1, 0)}, {1: 0.0}, None, None),  # the connector is stopped
        ({1: Ahead(1, 0)}, {}, None, None),  # it is gone
        ({1: Ahead(1, 0)}, {1: 50.0}, 0.0, None),  # the batch is stopped
        ({1: Ahead(10**9, 0)}, {1: 1.0}, None, None),  # in 31 years
    ],
)
def test_the_last_part_goes_behind_what_waits(
    ahead: dict[int, Ahead], paces: dict[int, float | None], rate: float | None,
    seconds: float | None,
) -> None:  # fmt: skip
    wanted = None if seconds is None else NOW + timedelta(seconds=seconds)
    assert finish_at(NOW, ahead, paces, rate) == wanted


@given(
    st.dictionaries(
        st.integers(1, 3), st.tuples(st.integers(1, 10**6), st.integers(0, 10**6)), min_size=1
    ),
    st.floats(0.01, 1e4),
)
def test_more_ahead_is_never_sooner(waiting: dict[int, tuple[int, int]], pace: float) -> None:
    paces = dict.fromkeys((1, 2, 3), pace)
    ahead = {each: Ahead(*parts) for each, parts in waiting.items()}
    more = {each: Ahead(own, others + 1) for each, (own, others) in waiting.items()}
    first, later = finish_at(NOW, ahead, paces), finish_at(NOW, more, paces)
    assert first is None or NOW <= first <= NOW + FINISH_MAX
    assert first is None or later is None or later >= first


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with running(database_url) as opened:
        yield opened


async def test_a_batch_waits_behind_others_of_its_connector(world: World) -> None:
    messages = [world.message(Category.MARKETING) for _ in range(30)]
    batch_id = messages[0].id - 1
    await world.store(messages, owner=0)
    await world.connection.execute(
        "UPDATE outbox SET batch_id = $1 WHERE id = ANY($2)",
        batch_id, [each.id for each in messages[:10]],
    )  # fmt: skip
    last = messages[9].id
    batch = BatchView(
        id=batch_id, until_id=last, state="active", rate=None, in_flight=0, changed_at=None
    )
    paces: dict[int, float | None] = {CONNECTOR: 3.0}
    found = await batch_finish(world.connection, batch, paces, NOW)
    assert found == NOW + timedelta(seconds=10)
    # What waits for its moment does not go before.
    await world.connection.execute(
        "UPDATE outbox SET not_before = now() + interval '1 day' WHERE id > $1", last
    )
    assert await batch_finish(world.connection, batch, paces, NOW) == NOW + timedelta(
        seconds=10 / 3
    )
    batch.state = "paused"
    assert await batch_finish(world.connection, batch, paces, NOW) is None


async def test_a_preview_would_go_behind_all_that_waits(world: World) -> None:
    await world.store([world.message(Category.MARKETING) for _ in range(20)], owner=0)
    now_ms = int(NOW.timestamp() * 1000)
    finish = Finish(
        world.database.read, {"sim": CONNECTOR}, lambda: {CONNECTOR: 10.0}, lambda: now_ms
    )
    assert await finish.of_parts({"sim": 10}) == NOW + timedelta(seconds=3)
    assert await finish.of_parts({}) is None
    assert await finish.of_parts({"sandbox": 1}) is None
