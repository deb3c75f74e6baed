"""The ledger on a real PostgreSQL: every receipt finds its part, once, whatever came first."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING

import asyncpg
import pytest

from dlr.ledger import (
    MATCH_DAYS,
    apply_receipts,
    insert_submissions,
    join_unmatched,
)
from dlr.reasons import Reason
from dlr.status import RECEIPT_STATUSES, Status, advance
from storage.partitions import ensure_partitions
from tests.dlr.rows import CONNECTOR, World

if TYPE_CHECKING:
    from dlr.ledger import SubmissionRow
    from dlr.receipt_rows import ReceiptRow
    from storage.pool import Connection


@pytest.fixture
def world() -> World:
    return World()


async def statuses(connection: Connection) -> dict[int, Status]:
    records = await connection.fetch("SELECT id, status FROM submission ORDER BY id")
    return {record["id"]: Status(record["status"]) for record in records}


async def parked(connection: Connection) -> list[str]:
    records = await connection.fetch("SELECT carrier_id FROM unmatched_receipt ORDER BY id")
    return [record["carrier_id"] for record in records]


async def test_a_submission_is_stored_column_for_column(
    connection: Connection, world: World
) -> None:
    row = world.part(
        "abc", part=2, parts=3, status=Status.REJECTED, reason=Reason.NUMBER_INVALID, error="0x0B"
    )
    row.receipt_at = row.done_at = world.now
    await insert_submissions(connection, [row])
    record = await connection.fetchrow("SELECT * FROM submission")
    assert record is not None
    columns = {name: getattr(row, name) for name in row.__struct_fields__}
    assert dict(record) == {**columns, "replaced": False}


async def test_again_stores_what_is_missing_and_leaves_what_is_there(
    connection: Connection, world: World
) -> None:
    first, second = world.part("1"), world.part("2")
    await insert_submissions(connection, [first])
    await apply_receipts(connection, [world.receipt("1")], world.ids)
    with pytest.raises(asyncpg.UniqueViolationError):
        await insert_submissions(connection, [first, second])
    await insert_submissions(connection, [first, second], again=True)
    assert await statuses(connection) == {first.id: Status.DELIVERED, second.id: Status.SENT}


@pytest.mark.parametrize("remembered", [True, False])
async def test_a_receipt_is_applied_and_told(
    connection: Connection, world: World, remembered: bool
) -> None:
    row = world.part("77", part=2, parts=3, category=3, account=5)
    await insert_submissions(connection, [row])
    world.wait(seconds=4)
    receipt = world.receipt(
        "77",
        Status.UNDELIVERED,
        submission_id=row.id if remembered else None,
        reason=Reason.NUMBER_UNKNOWN,
        error="001",
    )
    [applied] = await apply_receipts(connection, [receipt], world.ids)
    assert (applied.matched, applied.changed) == (True, True)
    assert (applied.submission_id, applied.message_id) == (row.id, row.message_id)
    assert (applied.part, applied.parts, applied.account, applied.category) == (2, 3, 5, 3)
    assert (applied.previous, applied.status) == (Status.SENT, Status.UNDELIVERED)
    stored = await connection.fetchrow(
        "SELECT status, reason, error, done_at, receipt_at FROM submission"
    )
    assert stored is not None
    assert tuple(stored) == (50, Reason.NUMBER_UNKNOWN, "001", world.now, world.now)
    assert not await parked(connection)


async def test_any_order_of_receipts_in_any_batches_gives_the_same_end(
    connection: Connection, world: World
) -> None:
    random = Random(20240101)
    rows = [world.part(str(number)) for number in range(60)]
    await insert_submissions(connection, rows)
    ends = {row.id: Status.SENT for row in rows}
    receipts = []
    for row in rows:
        for status in random.choices(sorted(RECEIPT_STATUSES), k=4):
            known = row.id if random.random() < 0.5 else None
            receipts.append(world.receipt(row.carrier_id or "", status, submission_id=known))
            ends[row.id] = advance(ends[row.id], status)
    receipts += random.sample(receipts, 80)  # and again
    random.shuffle(receipts)
    changes = 0
    while receipts:
        batch = [receipts.pop() for _ in range(min(len(receipts), random.randint(1, 40)))]
        applied = await apply_receipts(connection, batch, world.ids)
        assert [told.row for told in applied] == batch
        assert all(told.matched for told in applied)
        changes += sum(told.changed for told in applied)
    assert await statuses(connection) == ends
    assert changes >= sum(end != Status.SENT for end in ends.values())
    assert not await parked(connection)


async def test_of_several_receipts_in_one_batch_the_highest_is_stored_and_told_once(
    connection: Connection, world: World
) -> None:
    row = world.part("1")
    await insert_submissions(connection, [row])
    batch = [
        world.receipt("1", Status.EXPIRED, error="late"),
        world.receipt("1", Status.DELIVERED, error="000", submission_id=row.id),
        world.receipt("1", Status.DELIVERED, error="again"),
        world.receipt("1", Status.SENT),
    ]
    applied = await apply_receipts(connection, batch, world.ids)
    assert [told.changed for told in applied] == [False, True, False, False]
    assert await connection.fetchval("SELECT error FROM submission") == "000"


async def test_a_receipt_never_lowers_and_never_touches_what_ended_without_the_wire(
    connection: Connection, world: World
) -> None:
    delivered = world.part("1", status=Status.DELIVERED)
    canceled = world.part("2", status=Status.CANCELED)
    await insert_submissions(connection, [delivered, canceled])
    applied = await apply_receipts(
        connection, [world.receipt("1", Status.UNDELIVERED), world.receipt("2")], world.ids
    )
    assert [(told.matched, told.changed) for told in applied] == [(True, False)] * 2
    assert [told.previous for told in applied] == [Status.DELIVERED, Status.CANCELED]
    assert set((await statuses(connection)).values()) == {Status.DELIVERED, Status.CANCELED}
    assert await connection.fetchval("SELECT count(receipt_at) FROM submission") == 0


async def test_receipts_never_cross_connectors(connection: Connection, world: World) -> None:
    mine, other = world.part("5"), world.part("5", connector=CONNECTOR + 1)
    await insert_submissions(connection, [mine, other])
    await apply_receipts(connection, [world.receipt("5", connector=CONNECTOR + 1)], world.ids)
    await apply_receipts(connection, [world.receipt("5", connector=CONNECTOR + 2)], world.ids)
    assert await statuses(connection) == {mine.id: Status.SENT, other.id: Status.DELIVERED}
    assert await parked(connection) == ["5"]


async def test_an_id_used_twice_means_the_newest_that_is_open(
    connection: Connection, world: World
) -> None:  # E8
    oldest, older, newest = world.part("9"), world.part("9"), world.part("9")
    await insert_submissions(connection, [oldest, older, newest])

    async def apply(status: Status) -> int | None:
        [told] = await apply_receipts(connection, [world.receipt("9", status)], world.ids)
        return told.submission_id

    assert await apply(Status.DELIVERED) == newest.id
    assert await apply(Status.EXPIRED) == older.id
    assert await apply(Status.DELIVERED) == oldest.id
    assert await apply(Status.DELIVERED) == newest.id


async def test_matching_looks_back_a_few_days_only(connection: Connection, world: World) -> None:
    old = world.part("9")
    await insert_submissions(connection, [old])
    world.wait(days=MATCH_DAYS, seconds=1)
    [told] = await apply_receipts(connection, [world.receipt("9")], world.ids)
    assert not told.matched


async def test_either_id_of_a_receipt_matches(connection: Connection, world: World) -> None:  # E7
    row = world.part("436949")
    await insert_submissions(connection, [row])
    receipt = world.receipt("6aad5", alternate_id="436949")
    [told] = await apply_receipts(connection, [receipt], world.ids)
    assert told.submission_id == row.id


async def test_a_remembered_submission_that_is_gone_parks_the_receipt(
    connection: Connection, world: World
) -> None:
    [told] = await apply_receipts(
        connection, [world.receipt("1", submission_id=world.ids.next())], world.ids
    )
    assert (told.matched, told.submission_id) == (False, None)
    assert await parked(connection) == ["1"]


async def test_a_receipt_before_its_response_is_parked_and_joined(
    connection: Connection, world: World
) -> None:  # E11
    early = [
        world.receipt("1", Status.SENT),
        world.receipt("1", Status.UNDELIVERED, error="006"),
        world.receipt("stranger"),
    ]
    applied = await apply_receipts(connection, early, world.ids)
    assert not any(told.matched for told in applied)
    assert await parked(connection) == ["1", "1", "stranger"]

    world.wait(seconds=60)
    row = world.part("1")
    async with connection.transaction():
        await insert_submissions(connection, [row])
        joined = await join_unmatched(connection, [(CONNECTOR, "1")], now=world.now)
        assert [(row.status, row.error) for row in sorted(joined, key=lambda row: row.status)] == [
            (row.status, row.error) for row in early[:2]
        ]
        await apply_receipts(connection, joined, world.ids)
    assert await statuses(connection) == {row.id: Status.UNDELIVERED}
    assert await parked(connection) == ["stranger"]


async def test_a_receipt_parked_for_an_earlier_use_of_an_id_is_not_joined(
    connection: Connection, world: World
) -> None:
    await apply_receipts(connection, [world.receipt("1")], world.ids)
    world.wait(hours=2)
    assert await join_unmatched(connection, [(CONNECTOR, "1")], now=world.now) == []
    assert await parked(connection) == ["1"]


async def test_every_one_of_many_receipts_is_accounted_for_exactly_once(
    connection: Connection, world: World
) -> None:  # E12, in the order of a bad day: receipts first, duplicates, two sources of ids
    random = Random(7)
    rows: list[SubmissionRow] = [world.part(str(number)) for number in range(3_000)]
    early: list[ReceiptRow] = [
        world.receipt(row.carrier_id or "") for row in rows if random.random() < 0.3
    ]
    for start in range(0, len(early), 500):
        await apply_receipts(connection, early[start : start + 500], world.ids)
    for start in range(0, len(rows), 500):
        batch = rows[start : start + 500]
        async with connection.transaction():
            await insert_submissions(connection, batch)
            joined = await join_unmatched(
                connection, [(row.connector, row.carrier_id or "") for row in batch], now=world.now
            )
            await apply_receipts(connection, joined, world.ids)
    changed = await connection.fetchval("SELECT count(*) FROM submission WHERE status = 60")
    assert changed == len(early)
    late = [world.receipt(row.carrier_id or "") for row in rows]
    random.shuffle(late)
    for start in range(0, len(late), 500):
        applied = await apply_receipts(connection, late[start : start + 500], world.ids)
        changed += sum(told.changed for told in applied)
    assert changed == len(rows)
    assert not await parked(connection)


async def test_plans_use_the_indexes_even_those_made_when_the_tables_were_empty(
    connection: Connection, world: World
) -> None:
    """A prepared statement keeps its plan: made for an empty table it must not read a full one."""
    for days in (1, 2, 3):
        await ensure_partitions(connection, (world.now - timedelta(days=days)).date())
    await connection.execute("SET plan_cache_mode = force_generic_plan")
    for _ in range(7):
        await apply_receipts(connection, [world.receipt("none")], world.ids)
    await fill(connection, world, 30_000)
    batch = [world.receipt(str(number)) for number in range(400)]
    known = await connection.fetch("SELECT id, carrier_id FROM submission WHERE carrier_id < '2'")
    batch += [
        world.receipt(record["carrier_id"], submission_id=record["id"]) for record in known[:100]
    ]
    before = await table_reads(connection)
    assert all(told.matched for told in await apply_receipts(connection, batch, world.ids))
    await join_unmatched(connection, [(CONNECTOR, "none")] * 3, now=world.now)
    assert await table_reads(connection) == before


async def fill(connection: Connection, world: World, rows: int) -> None:
    submissions = [world.part(str(number)) for number in range(rows)]
    for start in range(0, rows, 5_000):
        await insert_submissions(connection, submissions[start : start + 5_000])


async def table_reads(connection: Connection) -> int:
    """How often any leaf of submission was read from end to end."""
    await connection.execute("SELECT pg_stat_force_next_flush()")
    reads = await connection.fetchval(
        "SELECT sum(seq_scan) FROM pg_stat_user_tables WHERE relname LIKE 'submission%'"
    )
    return int(reads)
