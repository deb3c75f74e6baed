"""Days are counted anew, mended where they are wrong, and left alone where messages are gone."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from dlr.rollups import recounter as recounting
from dlr.rollups.columns import day_of, quarter_of, quarter_of_id
from dlr.rollups.merger import Merger
from dlr.rollups.naming import name_new
from dlr.rollups.recounter import CLOSED_DAYS, Recounter
from dlr.status import Status
from storage.partitions import drop_partitions, ensure_partitions
from tests.dlr.rollups.reference import assert_exact
from tests.dlr.rollups.traffic import Traffic

if TYPE_CHECKING:
    from storage.pool import Connection

ONE_DAY = timedelta(days=1)


@pytest.fixture
def traffic(connection: Connection) -> Traffic:
    return Traffic(connection)


async def merge(connection: Connection) -> None:
    merger = Merger(left_alone=timedelta(hours=-1))
    while (await merger.merge(connection)).more:
        pass


async def some(connection: Connection, traffic: Traffic) -> int:
    """Two messages of one day, one delivered and one suppressed; the day."""
    message = await traffic.accept(tags=["a"])
    await traffic.submit(message)
    await traffic.done(message)
    await traffic.receipt(len(traffic.submits) - 1, Status.DELIVERED)
    await traffic.accept(ended=Status.SUPPRESSED)
    return day_of(quarter_of_id(message))


async def test_g9_drift_is_mended_and_told(connection: Connection, traffic: Traffic) -> None:
    day = await some(connection, traffic)
    await merge(connection)
    recounter = Recounter()
    await connection.execute("UPDATE rollup_cell SET delivered = delivered + 40")
    await connection.execute("DELETE FROM rollup_reason")
    for table in ("rollup_latency", "rollup_latency_day"):
        await connection.execute(f"UPDATE {table} SET counts = '{{7}}'")
    await connection.execute("UPDATE rollup_tag SET accepted = 3")
    await connection.execute("UPDATE rollup_attempt SET attempts = 0")
    recount = await recounter.recount(connection, day, traffic.world.now, in_doubt=False)
    assert recount is not None
    assert (recount.counted, recount.messages, recount.large) == (2, 40, True)
    assert recounter.mended == {"large": 40}
    await assert_exact_but_days(connection)
    again = await recounter.recount(connection, day, traffic.world.now, in_doubt=False)
    assert again is not None
    assert again.rows == 0


async def assert_exact_but_days(connection: Connection) -> None:
    """The days follow the cells by their differences, so what was done to cells alone shows."""
    await connection.execute(
        "UPDATE rollup_day AS d SET delivered = (SELECT sum(delivered) FROM rollup_cell AS c"
        " WHERE c.quarter / 96 = d.day AND c.key = d.key)"
    )
    await assert_exact(connection)


@pytest.mark.parametrize("fewer", [0, 1, 2])
async def test_a_day_of_many_messages_is_counted_piece_by_piece(
    connection: Connection, traffic: Traffic, fewer: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recounting, "QUARTERS_AT_ONCE", ((fewer, 96), (fewer + 1, 4)))
    day = await some(connection, traffic)
    await merge(connection)
    await connection.execute("UPDATE rollup_cell SET delivered = 0")
    await connection.execute("UPDATE rollup_day SET delivered = 0")
    await Recounter().recount(connection, day, traffic.world.now, in_doubt=False)
    await assert_exact(connection)


async def test_a_day_that_is_right_is_not_touched(connection: Connection, traffic: Traffic) -> None:
    day = await some(connection, traffic)
    await merge(connection)
    recounter = Recounter()
    recount = await recounter.recount(connection, day, traffic.world.now, in_doubt=True)
    assert recount is not None
    assert (recount.rows, recount.messages, recount.counted) == (0, 0, 2)
    assert recounter.mended == {}
    await assert_exact(connection)


async def test_g4_a_day_whose_messages_are_dropped_keeps_its_figures(
    connection: Connection, traffic: Traffic
) -> None:
    day = await some(connection, traffic)
    await merge(connection)
    before = await connection.fetch("SELECT * FROM rollup_day")
    await connection.execute(
        "INSERT INTO rollup_day_state (day, dirty_since) VALUES ($1, now() - interval '1 hour')",
        day,
    )
    for table in ("message", "submission", "event", "rollup_watch"):
        await drop_partitions(connection, table, traffic.world.now.date() + ONE_DAY)
    recounter = Recounter()
    assert await recounter.recount(connection, day, traffic.world.now, in_doubt=True) is None
    await recounter.turn(connection, traffic.world.now)
    assert await connection.fetch("SELECT * FROM rollup_day") == before
    state = await connection.fetchrow("SELECT dirty_since, closed FROM rollup_day_state")
    assert state is not None
    assert tuple(state) == (None, True)


async def test_a_day_whose_quarters_are_kept_no_more_keeps_its_figures(
    connection: Connection, traffic: Traffic
) -> None:
    """Its messages may be kept for longer. Counted anew, they would be in its sum twice."""
    day = await some(connection, traffic)
    await merge(connection)
    tables = ("rollup_day", "rollup_latency_day")
    before = [await connection.fetch(f"SELECT * FROM {table}") for table in tables]
    for table in ("cell", "reason", "latency", "attempt"):
        await connection.execute(f"DELETE FROM rollup_{table}")
    recounter = Recounter()
    assert await recounter.recount(connection, day, traffic.world.now, in_doubt=False) is None
    assert [await connection.fetch(f"SELECT * FROM {table}") for table in tables] == before


async def test_the_histograms_of_a_day_follow_its_quarters_again(
    connection: Connection, traffic: Traffic
) -> None:
    """As if a release that knows no histograms of days had merged, while both run."""
    day = await some(connection, traffic)
    await merge(connection)
    await connection.execute("DELETE FROM rollup_latency_day WHERE kind = 0")
    await connection.execute("UPDATE rollup_latency_day SET counts = '{7}'")
    recount = await Recounter().recount(connection, day, traffic.world.now, in_doubt=False)
    assert recount is not None
    assert recount.rows == 2
    await assert_exact(connection)


async def test_g3_a_turn_counts_one_day_and_comes_to_an_end(
    connection: Connection, traffic: Traffic
) -> None:
    now = traffic.world.now
    traffic.world.wait(days=-1)
    first = await some(connection, traffic)
    traffic.world.wait(days=1)
    second = await some(connection, traffic)
    await merge(connection)
    await connection.execute(
        "INSERT INTO rollup_day_state (day, dirty_since) SELECT unnest($1::integer[]), now()",
        [first, second],
    )
    recounter = Recounter()
    for done in (1, 2, 2):
        await recounter.turn(connection, now)
        assert recounter.days == done
    assert await connection.fetchval("SELECT count(*) FROM rollup_day_state WHERE closed") == 0


async def test_a_day_is_closed_when_it_is_old_and_final_when_nothing_can_change(
    connection: Connection, traffic: Traffic
) -> None:
    now = traffic.world.now
    traffic.world.wait(days=-CLOSED_DAYS)
    await ensure_partitions(connection, traffic.world.now.date())
    day = await some(connection, traffic)
    pending = await traffic.accept()
    traffic.world.wait(days=CLOSED_DAYS)
    await merge(connection)
    recounter = Recounter()
    for _ in range(3):
        await recounter.turn(connection, now)
    state = await connection.fetchrow(
        "SELECT closed, final FROM rollup_day_state WHERE day = $1", day
    )
    assert state is not None
    assert tuple(state) == (True, False)
    await traffic.end(pending, Status.EXPIRED)
    await merge(connection)
    await recounter.turn(connection, now)
    assert await connection.fetchval("SELECT final FROM rollup_day_state WHERE day = $1", day)
    await assert_exact(connection)


async def test_what_is_named_as_new_is_counted_before_its_day_is_counted_anew(
    connection: Connection, traffic: Traffic
) -> None:
    day = await some(connection, traffic)
    await merge(connection)
    await traffic.accept(late=True, ended=Status.CAPPED)
    recounter = Recounter()
    assert await recounter.recount(connection, day, traffic.world.now, in_doubt=True) is None
    await merge(connection)
    assert await recounter.recount(connection, day, traffic.world.now, in_doubt=True) is not None
    await name_new(connection, [])
    await assert_exact(connection)


def test_a_quarter_is_of_its_day(traffic: Traffic) -> None:
    now = traffic.world.now
    assert (
        day_of(quarter_of(now)) == (now.date() - now.date().replace(year=1970, month=1, day=1)).days
    )
