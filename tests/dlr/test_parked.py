"""Parked receipts: whatever came first, they find their part, once, and go in the end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from dlr import parked
from dlr.ledger import MATCH_DAYS, AppliedReceipt, apply_receipts, insert_submissions
from dlr.parked import ParkedReceipts, purge_unmatched, sweep_unmatched
from dlr.reasons import Reason
from dlr.receipt_rows import Parties
from dlr.status import Status
from tests.dlr.rows import World

if TYPE_CHECKING:
    from storage.pool import Connection


@pytest.fixture
def world() -> World:
    return World()


class Told:
    """What follows from a receipt is somebody else's: who that is, and whether the transaction was
    open when he was told.
    """

    def __init__(self) -> None:
        self.receipts: list[AppliedReceipt] = []
        self.failure: Exception | None = None

    async def follow_up(self, connection: Connection, applied: Sequence[AppliedReceipt]) -> None:
        assert connection.is_in_transaction()
        self.receipts += applied
        if applied and self.failure is not None:
            raise self.failure


async def statuses(connection: Connection) -> dict[int, Status]:
    records = await connection.fetch("SELECT id, status FROM submission ORDER BY id")
    return {record["id"]: Status(record["status"]) for record in records}


async def waiting(connection: Connection) -> list[str]:
    records = await connection.fetch("SELECT carrier_id FROM unmatched_receipt ORDER BY id")
    return [record["carrier_id"] for record in records]


async def test_a_receipt_that_two_sessions_missed_is_joined(
    connection: Connection, world: World
) -> None:
    """One parks the receipt while the other commits the result."""
    told = Told()
    step = ParkedReceipts(world.ids, follow_up=told.follow_up)
    message = await world.message(connection)
    dead = world.receipt("c1", Status.UNDELIVERED, reason=Reason.NUMBER_UNKNOWN, error="MK:0001")
    await apply_receipts(connection, [dead], world.ids)
    part = world.part("c1", message_id=message)
    await insert_submissions(connection, [part])
    await step.turn(connection, world.now)
    assert (step.joined, told.receipts) == (0, [])  # too young
    world.wait(seconds=6)
    await step.turn(connection, world.now)
    assert await statuses(connection) == {part.id: Status.UNDELIVERED}
    assert await waiting(connection) == []
    [receipt] = told.receipts
    assert (receipt.message_id, receipt.reason) == (message, Reason.NUMBER_UNKNOWN)
    assert (step.joined, step.final) == (1, {(dead.connector, Status.UNDELIVERED): 1})
    await step.turn(connection, world.now)
    assert (step.joined, len(told.receipts)) == (1, 1)


async def test_what_could_not_be_followed_up_is_joined_at_the_next_turn(
    connection: Connection, world: World
) -> None:
    told = Told()
    told.failure = ConnectionResetError()
    step = ParkedReceipts(world.ids, follow_up=told.follow_up)
    await apply_receipts(connection, [world.receipt("c1")], world.ids)
    part = world.part("c1")
    await insert_submissions(connection, [part])
    world.wait(seconds=6)
    with pytest.raises(ConnectionResetError):
        await step.turn(connection, world.now)
    assert (step.joined, await waiting(connection)) == (0, ["c1"])
    told.failure = None
    await step.turn(connection, world.now)
    assert await statuses(connection) == {part.id: Status.DELIVERED}
    assert (step.joined, await waiting(connection)) == (1, [])


async def test_e33_a_receipt_of_a_submit_that_was_never_answered_ends_the_doubt(
    connection: Connection, world: World
) -> None:
    told = Told()
    step = ParkedReceipts(world.ids, follow_up=told.follow_up)
    message = await world.message(connection, recipient=9)
    part = world.part(message_id=message, status=Status.UNCONFIRMED)
    await insert_submissions(connection, [part])
    receipt = world.receipt("c1")
    receipt.parties = lambda: Parties((9).to_bytes(16, "big"), "S")
    await apply_receipts(connection, [receipt], world.ids)
    world.wait(seconds=59)
    await step.turn(connection, world.now)
    assert await statuses(connection) == {part.id: Status.UNCONFIRMED}  # it may be answered yet
    world.wait(seconds=2)
    await step.turn(connection, world.now)
    assert await statuses(connection) == {part.id: Status.DELIVERED}
    assert [each.submission_id for each in told.receipts] == [part.id]
    assert (step.joined, step.final) == (1, {(receipt.connector, Status.DELIVERED): 1})


async def test_one_turn_joins_however_many_were_parked(
    connection: Connection, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two gateways on one carrier park most receipts; 500 in 5 s would leave them hours behind."""
    monkeypatch.setattr(parked, "SWEEP_ROWS_MAX", 2)
    step = ParkedReceipts(world.ids, follow_up=Told().follow_up)
    carrier_ids = [f"c{number}" for number in range(5)]
    await apply_receipts(connection, [world.receipt(each) for each in carrier_ids], world.ids)
    await insert_submissions(connection, [world.part(each) for each in carrier_ids])
    world.wait(seconds=6)
    monkeypatch.setattr(parked, "SWEEPS_MAX", 2)
    await step.turn(connection, world.now)
    assert step.joined == 4  # so that what else is due does not wait for it
    await step.turn(connection, world.now)
    assert step.joined == 5


async def test_a_date_that_is_not_believed_is_counted(connection: Connection, world: World) -> None:
    step = ParkedReceipts(world.ids, follow_up=Told().follow_up)
    receipt = world.receipt("c1")
    assert isinstance(receipt.done_at, datetime)
    receipt.done_at -= timedelta(days=300)
    await apply_receipts(connection, [receipt], world.ids)
    await insert_submissions(connection, [world.part("c1")])
    world.wait(seconds=6)
    await step.turn(connection, world.now)
    assert step.disbelieved == {receipt.connector: 1}


async def test_a_turn_deletes_what_belongs_to_nobody_in_the_end(
    connection: Connection, world: World
) -> None:
    step = ParkedReceipts(world.ids, follow_up=Told().follow_up)
    await apply_receipts(connection, [world.receipt("old")], world.ids)
    world.wait(days=MATCH_DAYS, minutes=1)
    await apply_receipts(connection, [world.receipt("young")], world.ids)
    await step.turn(connection, world.now)
    assert await waiting(connection) == ["young"]


async def test_parked_and_submitted_at_the_same_moment_is_found_by_the_sweep(
    connection: Connection, world: World
) -> None:
    await apply_receipts(connection, [world.receipt("1"), world.receipt("2")], world.ids)
    row = world.part("1")
    await insert_submissions(connection, [row])
    assert await sweep_unmatched(connection, world.now, world.ids) == []  # not yet older
    world.wait(seconds=5)
    [told] = await sweep_unmatched(connection, world.now, world.ids)
    assert (told.submission_id, told.changed) == (row.id, True)
    assert await statuses(connection) == {row.id: Status.DELIVERED}
    assert await waiting(connection) == ["2"]


async def test_parked_receipts_are_kept_for_days_and_then_counted_out(
    connection: Connection, world: World
) -> None:
    await apply_receipts(connection, [world.receipt("1"), world.receipt("2")], world.ids)
    assert await purge_unmatched(connection, world.now + timedelta(days=MATCH_DAYS)) == 0
    world.wait(days=1)
    await apply_receipts(connection, [world.receipt("3")], world.ids)
    world.wait(days=MATCH_DAYS - 1, seconds=1)
    assert await purge_unmatched(connection, world.now) == 2
    assert await waiting(connection) == ["3"]
