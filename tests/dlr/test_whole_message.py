"""Carriers that send one receipt for a message of several parts (E100)."""

from __future__ import annotations

from itertools import permutations

import pytest

from dlr.connector_groups import ALONE, ConnectorGroups
from dlr.ledger import SubmissionRow, apply_receipts, insert_submissions
from dlr.status import Status
from dlr.whole_message import spread
from storage.pool import Connection
from tests.dlr.rows import CONNECTOR, World

WHOLE = ConnectorGroups(receipts_per_message=[CONNECTOR])
OTHER = CONNECTOR + 1


@pytest.fixture
def world() -> World:
    return World()


async def message(
    connection: Connection, world: World, connector: int = CONNECTOR
) -> tuple[int, list[SubmissionRow]]:
    """Three parts, all sent, under ids c1 to c3."""
    message_id = await world.message(connection, parts=3)
    rows = [
        world.part(f"c{part}", message_id=message_id, part=part, parts=3, connector=connector)
        for part in (1, 2, 3)
    ]
    return message_id, rows


async def statuses(connection: Connection) -> list[Status]:
    records = await connection.fetch("SELECT status FROM submission ORDER BY id")
    return [Status(record["status"]) for record in records]


@pytest.mark.parametrize("named", ["c1", "c2", "c3"])
async def test_e100_one_receipt_delivers_all_parts(
    connection: Connection, world: World, named: str
) -> None:
    _, rows = await message(connection, world)
    _, others = await message(connection, world, OTHER)
    await insert_submissions(connection, [*rows, *others])
    receipts = [world.receipt(named), world.receipt(named, connector=OTHER)]
    told = await apply_receipts(connection, receipts, world.ids, groups=WHOLE)
    assert await statuses(connection) == [Status.DELIVERED] * 3 + [
        Status.DELIVERED if row.carrier_id == named else Status.SENT for row in others
    ]
    assert [each.others for each in told] == [2, 0]
    same = await connection.fetch("SELECT DISTINCT done_at, receipt_at, error FROM submission")
    assert len([row for row in same if row["receipt_at"] is not None]) == 1


async def test_e100_a_receipt_of_a_part_is_about_that_part_unless_the_carrier_is_known(
    connection: Connection, world: World
) -> None:
    _, rows = await message(connection, world)
    await insert_submissions(connection, rows)
    await apply_receipts(connection, [world.receipt("c2")], world.ids, groups=ALONE)
    assert await statuses(connection) == [Status.SENT, Status.DELIVERED, Status.SENT]


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_e100_parts_that_are_answered_after_the_receipt_take_it_too(
    connection: Connection, world: World, order: tuple[int, ...]
) -> None:
    message_id, rows = await message(connection, world)
    for position in order:
        await insert_submissions(connection, [rows[position]])
        await apply_receipts(connection, [world.receipt("c1")], world.ids, groups=WHOLE)
        await spread(connection, [message_id], WHOLE)
    assert await statuses(connection) == [Status.DELIVERED] * 3


async def test_e100_a_better_word_corrects_and_a_worse_one_does_not(
    connection: Connection, world: World
) -> None:
    _, rows = await message(connection, world)
    await insert_submissions(connection, rows)
    for status, expected in (
        (Status.SENT, Status.SENT),
        (Status.UNDELIVERED, Status.UNDELIVERED),
        (Status.DELIVERED, Status.DELIVERED),
        (Status.UNDELIVERED, Status.DELIVERED),
    ):
        receipts = [world.receipt("c3", status)]
        await apply_receipts(connection, receipts, world.ids, groups=WHOLE)
        assert await statuses(connection) == [expected] * 3


async def test_e100_a_part_that_the_carrier_refused_stays_refused_and_one_in_doubt_does_not(
    connection: Connection, world: World
) -> None:
    _, rows = await message(connection, world)
    rows[0].status, rows[0].carrier_id = Status.REJECTED, None
    rows[1].status, rows[1].carrier_id = Status.UNCONFIRMED, None
    await insert_submissions(connection, rows)
    await apply_receipts(connection, [world.receipt("c3")], world.ids, groups=WHOLE)
    assert await statuses(connection) == [Status.REJECTED, Status.DELIVERED, Status.DELIVERED]
