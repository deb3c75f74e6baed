"""Merges count each message once, and each change of it once."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from typing import TYPE_CHECKING

import pytest

from dlr.rollups import merger as merging
from dlr.rollups.merger import Merger
from dlr.rollups.naming import LATE_SECONDS, late, name_new
from dlr.status import Status
from storage.ids import IdSource, id_at
from storage.pool import close_connection, connect
from tests.dlr.rollups.reference import assert_exact
from tests.dlr.rollups.traffic import OTHER_CONNECTOR, SANDBOX, Traffic, merge_all
from tests.dlr.rows import CONNECTOR

if TYPE_CHECKING:
    from storage.pool import Connection

AT_ONCE = timedelta(hours=-1)  # everything made so far is old enough


@pytest.fixture
def traffic(connection: Connection) -> Traffic:
    return Traffic(connection)


@pytest.fixture
def merger() -> Merger:
    return Merger(left_alone=AT_ONCE)


async def total(connection: Connection, column: str, table: str = "rollup_day") -> int:
    found: int = await connection.fetchval(f"SELECT coalesce(sum({column}), 0) FROM {table}")
    return found


async def test_a_message_is_counted_and_moves_with_its_receipt(
    connection: Connection, traffic: Traffic, merger: Merger
) -> None:
    message = await traffic.accept(parts=2, tags=["a", "b"], campaign="spring")
    await merge_all(connection, merger)
    await assert_exact(connection)
    await traffic.submit(message, 1)
    await traffic.submit(message, 2)
    await traffic.done(message)
    await merge_all(connection, merger)
    await assert_exact(connection)
    await traffic.receipt(0, Status.DELIVERED)
    await traffic.receipt(1, Status.UNDELIVERED)
    merged = await merge_all(connection, merger)
    assert (merged.counted, merged.changed, merged.dirty) == (0, 1, 0)
    await assert_exact(connection)
    assert await total(connection, "undelivered") == 1


async def test_the_sandbox_is_not_counted(
    connection: Connection, traffic: Traffic, merger: Merger
) -> None:
    message = await traffic.accept(connector=SANDBOX)
    await merge_all(connection, merger)
    await traffic.done(message)
    merged = await merge_all(connection, merger)
    assert (merged.counted, merged.changed, merged.dirty) == (0, 0, 0)
    assert await total(connection, "accepted") == 0


async def test_g1_a_message_whose_transaction_is_still_open_is_not_passed_over(
    connection: Connection, traffic: Traffic, database_url: str
) -> None:
    eager = Merger(left_alone=timedelta(0))
    traffic.world.wait(seconds=-30)
    await traffic.accept()
    other = await connect(database_url, application_name="smsgate:7:accept")
    held = Traffic(other)
    held.world.ids = IdSource(4, lambda: int(held.world.now.timestamp() * 1000))
    async with other.transaction():
        message = await held.accept()
        await merge_all(connection, eager)
        cursor = await connection.fetchval("SELECT cursor FROM rollup_state")
        assert cursor <= message, "it would be passed over"
    await close_connection(other)
    await merge_all(connection, Merger(left_alone=AT_ONCE))
    assert await total(connection, "accepted") == 2
    await assert_exact(connection)


async def test_g2_what_is_stored_late_is_counted_once(
    connection: Connection, traffic: Traffic, merger: Merger
) -> None:
    await traffic.accept()
    await merge_all(connection, merger)  # the cursor is an hour ahead of all ids
    await traffic.accept(late=True)
    settled = await traffic.accept(late=True, ended=Status.SUPPRESSED)
    merged = await merge_all(connection, merger)
    assert merged.counted == 2
    await traffic.done(settled)  # named once more, for nothing
    await merge_all(connection, merger)
    assert await total(connection, "accepted") == 3
    await assert_exact(connection)


async def test_g2_a_name_above_the_cursor_is_not_counted_twice(
    connection: Connection, traffic: Traffic
) -> None:
    behind = Merger(left_alone=timedelta(hours=1))
    await traffic.accept(late=True)
    await merge_all(connection, behind)
    assert await total(connection, "accepted") == 0
    await merge_all(connection, Merger(left_alone=AT_ONCE))
    assert await total(connection, "accepted") == 1


def test_ids_are_late_when_the_merger_may_have_passed_them() -> None:
    traffic_now = IdSource(1, lambda: 1_800_000_000_000).next()
    seconds = 1000 << 22
    young, old = traffic_now - (LATE_SECONDS - 1) * seconds, traffic_now - 6 * seconds
    assert late([young, old], traffic_now) == [old]


async def test_g5_the_last_piece_is_counted_whatever_a_merge_takes_at_once(
    connection: Connection, traffic: Traffic, merger: Merger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "MESSAGES_PER_MERGE_MAX", 3)
    for _ in range(8):
        await traffic.accept()
    more = []
    while (merged := await merger.merge(connection)).counted:
        more.append(merged.counted)
    assert more == [3, 3, 2]
    assert await total(connection, "accepted") == 8
    await assert_exact(connection)


async def test_what_changed_is_counted_before_more_names_are_read(
    connection: Connection, traffic: Traffic, merger: Merger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "ROWS_PER_MERGE_MAX", 2)
    await merger.merge(connection)
    cursor = await connection.fetchval("SELECT cursor FROM rollup_state")
    for _ in range(5):
        await traffic.accept(late=True)
    merged = await merger.merge(connection)
    assert (merged.counted, merged.more) == (2, True)
    assert await connection.fetchval("SELECT cursor FROM rollup_state") == cursor
    while merged.more:
        merged = await merger.merge(connection)
    assert await total(connection, "accepted") == 5


async def test_g6_a_retry_over_a_second_connector_is_one_message_and_two_attempts(
    connection: Connection, traffic: Traffic, merger: Merger
) -> None:
    message = await traffic.accept()
    await traffic.submit(message, connector=CONNECTOR)
    await traffic.done(message)
    await traffic.receipt(0, Status.UNDELIVERED, error="034")
    await merge_all(connection, merger)
    await traffic.another_way(message)
    await merge_all(connection, merger)
    assert await total(connection, "undelivered") == 0  # it waits
    await traffic.submit(message, connector=OTHER_CONNECTOR)
    await traffic.done(message)
    await merge_all(connection, merger)
    assert await total(connection, "undelivered") == 0
    await assert_exact(connection)
    await traffic.receipt(1, Status.DELIVERED)
    await merge_all(connection, merger)
    assert await total(connection, "accepted") == 1
    assert await total(connection, "delivered") == 1
    assert await total(connection, "undelivered") == 0
    attempts = await connection.fetch(
        "SELECT connector, attempts, delivered, undelivered FROM rollup_attempt ORDER BY connector"
    )
    assert [tuple(row) for row in attempts] == [(CONNECTOR, 1, 0, 1), (OTHER_CONNECTOR, 1, 1, 0)]
    assert await total(connection, "messages", "rollup_reason") == 0
    await assert_exact(connection)


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_g7_a_delivered_part_hides_no_failed_one(
    connection: Connection, traffic: Traffic, merger: Merger, order: tuple[int, ...]
) -> None:
    message = await traffic.accept(parts=3)
    for part in (1, 2, 3):
        await traffic.submit(message, part)
    await traffic.done(message)
    said = (Status.DELIVERED, Status.UNDELIVERED, Status.DELIVERED)
    for place in order:
        await traffic.receipt(place, said[place])
        await merge_all(connection, merger)
    assert await total(connection, "undelivered") == 1
    assert await total(connection, "delivered") == 0
    await assert_exact(connection)


async def test_g8_a_receipt_that_is_repeated_or_corrected_moves_the_message_once(
    connection: Connection, traffic: Traffic, merger: Merger
) -> None:
    message = await traffic.accept()
    await traffic.submit(message)
    await traffic.done(message)
    for status in (Status.UNDELIVERED, Status.UNDELIVERED, Status.DELIVERED, Status.DELIVERED):
        await traffic.receipt(0, status)
        await merge_all(connection, merger)
    assert await total(connection, "delivered") == 1
    assert await total(connection, "undelivered") == 0
    assert await connection.fetchval("SELECT count(*) FROM rollup_watch") == 0
    await assert_exact(connection)


async def test_g18_what_was_delivered_is_known_by_age(
    connection: Connection, traffic: Traffic, merger: Merger
) -> None:
    traffic.world.wait(hours=-3)
    for minutes in (4, 30, 90):
        message = await traffic.accept()
        await traffic.submit(message)
        await traffic.done(message)
        traffic.world.wait(minutes=minutes)
        await traffic.receipt(len(traffic.submits) - 1, Status.DELIVERED)
    await merge_all(connection, merger)
    counts = [await total(connection, each) for each in ("d5m", "d1h", "delivered")]
    assert counts == [1, 2, 3]


async def test_what_was_counted_and_is_taken_back_is_counted_no_more(
    connection: Connection, traffic: Traffic, merger: Merger
) -> None:
    message = await traffic.accept(tags=["a"])
    await merge_all(connection, merger)
    await traffic.retract(message)
    merged = await merge_all(connection, merger)
    assert (merged.changed, merged.dirty) == (1, 0)
    assert await total(connection, "accepted") == 0
    assert await total(connection, "accepted", "rollup_tag") == 0


async def test_a_message_that_nobody_watched_puts_its_day_in_doubt(
    connection: Connection, traffic: Traffic, merger: Merger
) -> None:
    message = await traffic.accept(ended=Status.SUPPRESSED)
    await merge_all(connection, merger)
    await traffic.retract(message)
    merged = await merge_all(connection, merger)
    assert merged.dirty == 1
    assert await connection.fetchval(
        "SELECT count(*) FROM rollup_day_state WHERE dirty_since < now()"
    )


async def test_one_process_merges_at_a_time(
    connection: Connection, traffic: Traffic, merger: Merger, database_url: str
) -> None:
    await traffic.accept()
    other = await connect(database_url, application_name="test")
    await other.execute("SELECT pg_advisory_lock(7307061132)")
    await merger.turn(connection)
    assert merger.merges == 0
    assert merger.counted_until is None
    await close_connection(other)
    await merger.turn(connection)
    assert merger.messages_counted == 1


async def test_who_does_not_merge_knows_how_far_the_others_are(
    connection: Connection, traffic: Traffic, merger: Merger, database_url: str
) -> None:
    """Else nobody would tell of one that holds the lock and gets nowhere."""
    await traffic.accept()
    await merger.turn(connection)
    other = await connect(database_url, application_name="test")
    await other.execute("SELECT pg_advisory_lock(7307061132)")
    beside = Merger(left_alone=AT_ONCE)
    await beside.turn(connection)
    assert beside.merges == 0
    assert beside.counted_until is not None
    assert beside.counted_until == merger.counted_until
    await close_connection(other)


async def test_it_rests_while_there_is_more_urgent_work(
    connection: Connection, traffic: Traffic
) -> None:
    await traffic.accept()
    busy = True
    merger = Merger(left_alone=AT_ONCE, rests=lambda: busy)
    await merger.turn(connection)
    assert merger.merges == 0
    busy = False
    await merger.turn(connection)
    assert merger.messages_counted == 1


async def test_messages_from_before_there_were_rollups_are_counted_day_by_day(
    connection: Connection, traffic: Traffic, merger: Merger
) -> None:
    traffic.world.wait(days=-1)
    await traffic.accept()
    traffic.world.wait(days=1)
    await traffic.accept()
    await connection.execute(f"DROP TABLE rollup_watch_{traffic.world.now:%Y%m%d}")
    counted = 0
    while (merged := await merger.merge(connection)).more:
        counted += merged.counted
    assert counted + merged.counted == 2
    await assert_exact(connection)


async def test_the_horizon_is_left_alone(connection: Connection, traffic: Traffic) -> None:
    await traffic.accept()
    await name_new(connection, [])
    merger = Merger()
    await merger.merge(connection)
    assert merger.messages_counted == 0
    assert merger.counted_until is not None
    now = await connection.fetchval("SELECT now()")
    assert now - merger.counted_until >= merging.LEFT_ALONE
    cursor = await connection.fetchval("SELECT cursor FROM rollup_state")
    assert cursor <= id_at(traffic.world.now)
