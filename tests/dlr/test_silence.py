"""Silence: after days it means unknown, and a late receipt still counts."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from dlr import silence
from dlr.ledger import apply_receipts, insert_submissions
from dlr.silence import Silence, give_up
from dlr.status import Status
from storage.ids import id_at
from storage.partitions import ensure_partitions
from tests.dlr.rows import World

if TYPE_CHECKING:
    from storage.pool import Connection

HOURS = 72


@pytest.fixture
def world() -> World:
    return World()


async def statuses(connection: Connection) -> dict[int, Status]:
    records = await connection.fetch("SELECT id, status FROM submission ORDER BY id")
    return {record["id"]: Status(record["status"]) for record in records}


async def test_a_turn_gives_up_what_is_due_and_the_next_what_came_to_be_due(
    connection: Connection, world: World
) -> None:
    step = Silence(HOURS, world.ids)
    old = world.part("old")
    delivered = world.part("delivered", status=Status.DELIVERED)
    world.wait(minutes=1)
    following = world.part("next")
    await insert_submissions(connection, [old, delivered, following])
    world.wait(hours=HOURS, seconds=-30)
    await step.turn(connection, world.now)
    assert await statuses(connection) == {
        old.id: Status.UNKNOWN, delivered.id: Status.DELIVERED, following.id: Status.SENT,
    }  # fmt: skip
    world.wait(minutes=1)
    await step.turn(connection, world.now)
    assert (await statuses(connection))[following.id] == Status.UNKNOWN


async def test_the_hours_may_change(connection: Connection, world: World) -> None:
    step = Silence(HOURS, world.ids)
    part = world.part("c1")
    await insert_submissions(connection, [part])
    world.wait(hours=2)
    await step.turn(connection, world.now)
    assert await statuses(connection) == {part.id: Status.SENT}
    step.after_hours = 1
    await step.turn(connection, world.now)
    assert await statuses(connection) == {part.id: Status.UNKNOWN}


async def test_a_turn_goes_no_further_than_its_stretches_and_the_next_goes_on(
    connection: Connection, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silence, "GIVE_UP_ROWS", 2)
    monkeypatch.setattr(silence, "STRETCHES_MAX", 2)
    step = Silence(HOURS, world.ids)
    await insert_submissions(connection, [world.part(f"c{number}") for number in range(5)])
    world.wait(hours=HOURS, minutes=1)
    await step.turn(connection, world.now)
    assert list((await statuses(connection)).values()).count(Status.UNKNOWN) == 4
    await step.turn(connection, world.now)
    assert set((await statuses(connection)).values()) == {Status.UNKNOWN}


async def test_what_was_sent_before_the_start_is_found(
    connection: Connection, world: World
) -> None:
    now = world.now
    world.wait(days=-30)
    await ensure_partitions(connection, world.now.date())
    part = world.part("c1")
    await insert_submissions(connection, [part])
    await Silence(HOURS, world.ids).turn(connection, now)
    assert await statuses(connection) == {part.id: Status.UNKNOWN}


async def test_silence_becomes_unknown_and_a_late_receipt_still_counts(
    connection: Connection, world: World
) -> None:
    rows = [world.part(str(number)) for number in range(3)]
    rows[1].status = Status.UNCONFIRMED
    rows[2].status = Status.DELIVERED
    world.wait(seconds=1)
    fresh = world.part("fresh")
    await insert_submissions(connection, [*rows, fresh])
    later = fresh.submitted_at
    assert later is not None
    later += timedelta(hours=HOURS)

    given_up = await give_up(
        connection, id_at(world.now - timedelta(days=1)), later, after_hours=HOURS
    )
    assert (given_up.cursor, given_up.changed) == (rows[2].id, [(rows[0].message_id, 1)])
    assert (await give_up(connection, rows[2].id, later, after_hours=HOURS)).cursor is None
    assert list((await statuses(connection)).values()) == [
        Status.UNKNOWN,
        Status.UNCONFIRMED,
        Status.DELIVERED,
        Status.SENT,
    ]
    [told] = await apply_receipts(connection, [world.receipt("0")], world.ids)
    assert (told.previous, told.changed) == (Status.UNKNOWN, True)
