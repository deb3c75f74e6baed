"""Connectors that are one carrier: a receipt finds its part on whichever it comes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from dlr.connector_groups import ConnectorGroups
from dlr.ledger import apply_receipts, insert_submissions, join_unmatched
from dlr.parked import sweep_unmatched
from dlr.status import Status
from tests.dlr.rows import CONNECTOR, World

if TYPE_CHECKING:
    from storage.pool import Connection

OTHER, STRANGER = CONNECTOR + 1, CONNECTOR + 2
GROUPS = ConnectorGroups([(CONNECTOR, "carrier"), (OTHER, "carrier"), (STRANGER, None)])


@pytest.fixture
def world() -> World:
    return World()


async def status(connection: Connection, submission: int) -> Status:
    return Status(
        await connection.fetchval("SELECT status FROM submission WHERE id = $1", submission)
    )


def test_a_connector_comes_before_the_others_of_its_group() -> None:
    assert GROUPS.of(OTHER) == (OTHER, CONNECTOR)
    assert GROUPS.of(STRANGER) == (STRANGER,)
    assert sorted(zip(*GROUPS.pairs(), strict=True)) == [(CONNECTOR, OTHER), (OTHER, CONNECTOR)]


async def test_e20_a_receipt_on_another_connector_of_the_group_is_matched(
    connection: Connection, world: World
) -> None:
    """The connector it came on first, the others then, never one that is another carrier."""
    ours, theirs, both = world.part("1"), world.part("2"), [world.part("3"), world.part("3")]
    theirs.connector = STRANGER
    both[1].connector = OTHER
    await insert_submissions(connection, [ours, theirs, *both])
    receipts = [world.receipt(identifier, connector=OTHER) for identifier in ("1", "2", "3")]
    told = await apply_receipts(connection, receipts, world.ids, groups=GROUPS)
    assert [each.submission_id for each in told] == [ours.id, None, both[1].id]
    assert await status(connection, ours.id) is Status.DELIVERED
    assert await status(connection, both[0].id) is Status.SENT


async def test_e20_a_receipt_on_another_connector_may_come_before_its_answer(
    connection: Connection, world: World
) -> None:
    early = [world.receipt("1", connector=OTHER), world.receipt("2", connector=OTHER)]
    await apply_receipts(connection, early, world.ids, groups=GROUPS)
    rows = [world.part("1"), world.part("2")]
    pairs = [(connector, "1") for connector in GROUPS.of(CONNECTOR)]
    async with connection.transaction():
        await insert_submissions(connection, rows)
        joined = await join_unmatched(connection, pairs, now=world.now)
        await apply_receipts(connection, joined, world.ids, groups=GROUPS)
    assert await status(connection, rows[0].id) is Status.DELIVERED
    later = world.now + timedelta(seconds=5)
    assert await sweep_unmatched(connection, later, world.ids) == []  # without its group
    [told] = await sweep_unmatched(connection, later, world.ids, groups=GROUPS)
    assert told.submission_id == rows[1].id
    assert await status(connection, rows[1].id) is Status.DELIVERED
