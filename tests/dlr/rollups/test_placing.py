"""What is kept apart is bounded, and what is left over is counted together."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from dlr.rollups.columns import OTHER, day_of, quarter_of_id
from dlr.rollups.merger import Merger
from dlr.rollups.placing import Bounds
from dlr.rollups.recounter import Recounter
from dlr.status import Status
from tests.dlr.rollups.traffic import Traffic, merge_all

if TYPE_CHECKING:
    from storage.pool import Connection

BOUNDS = Bounds(cells=2, codes=2, tags=2)
NAMES = ("a", "b", "c", "d")


@pytest.fixture
def traffic(connection: Connection) -> Traffic:
    return Traffic(connection)


@pytest.fixture
def merger() -> Merger:
    return Merger(left_alone=timedelta(hours=-1), bounds=BOUNDS)


async def test_a_day_has_so_many_cells_and_the_rest_is_counted_together(
    connection: Connection, traffic: Traffic, merger: Merger
) -> None:
    for name in NAMES:
        await traffic.accept(campaign=name)
    await merge_all(connection, merger)
    assert merger.others["cells"] == 2
    rows = await connection.fetch(
        "SELECT k.campaign, c.accepted FROM rollup_cell AS c JOIN rollup_key AS k ON k.id = c.key"
    )
    assert sorted(row["accepted"] for row in rows) == [1, 1, 2]
    assert [row["accepted"] for row in rows if row["campaign"] == OTHER] == [2]
    assert await connection.fetchval("SELECT count(*) FROM rollup_name WHERE kind = 2") == 2


async def test_codes_and_tags_are_bounded_too(
    connection: Connection, traffic: Traffic, merger: Merger
) -> None:
    for name in NAMES:
        message = await traffic.accept(tags=[name, "a"])
        await traffic.submit(message, status=Status.REJECTED, error=name)
        await traffic.done(message)
    await merge_all(connection, merger)
    assert merger.others["codes"] == 2
    codes = await connection.fetch("SELECT messages FROM rollup_reason WHERE code = $1", OTHER)
    assert [row["messages"] for row in codes] == [2]
    tags = await connection.fetch("SELECT accepted FROM rollup_tag ORDER BY accepted")
    assert [row["accepted"] for row in tags] == [1, 2, 4]
    assert merger.others["tags"] == 2


async def test_a_recount_places_each_message_where_the_merge_did(
    connection: Connection, traffic: Traffic, merger: Merger
) -> None:
    for name in NAMES:
        message = await traffic.accept(campaign=name, tags=[name], late=True)
        await traffic.submit(message, status=Status.REJECTED, error=name)
        await traffic.done(message)
        await merge_all(connection, merger)
        await traffic.accept(campaign=name, late=True)
    await merge_all(connection, merger)
    recounter = Recounter(bounds=BOUNDS)
    day = day_of(quarter_of_id(traffic.messages[0]))
    recount = await recounter.recount(connection, day, traffic.world.now, in_doubt=False)
    assert recount is not None
    assert (recount.rows, recount.counted) == (0, 8)


async def test_what_was_counted_with_others_moves_with_its_receipt(
    connection: Connection, traffic: Traffic, merger: Merger
) -> None:
    for name in NAMES:
        message = await traffic.accept(campaign=name, tags=[name])
        await traffic.submit(message)
        await traffic.done(message)
    await merge_all(connection, merger)
    for place in range(len(NAMES)):
        await traffic.receipt(place, Status.DELIVERED)
    await merge_all(connection, merger)
    for table in ("rollup_cell", "rollup_day", "rollup_tag"):
        row = await connection.fetchrow(
            f"SELECT sum(accepted), sum(delivered), min(delivered) FROM {table}"
        )
        assert row is not None
        assert tuple(row) == (4, 4, 1)
