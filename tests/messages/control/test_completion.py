"""A batch is told to have ended once all of it has, once, and to whoever wants to hear."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from dlr.ledger import SubmissionRow, insert_submissions
from dlr.status import Status
from dlr.webhooks.deliveries import Event, insert_events
from messages.control.completion import KIND, BatchCompletion
from storage.ids import format_id
from tests.dispatch.told import somebody_asks, told_others
from tests.dispatch.world import CONNECTOR, World, running, wall_ms
from tests.fresh_tables import without_statistics

LATER_MS = 120_000


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with running(database_url) as world:
        yield world


def completion(world: World) -> BatchCompletion:
    return BatchCompletion(
        world.database.dedicated("completion"), wanted=lambda: True, ids=world.ids,
        wall_ms=lambda: wall_ms() + LATER_MS, ended=lambda _: None,
    )  # fmt: skip


async def batch(world: World, *, account: int = 1, size: int = 2) -> tuple[int, list[int]]:
    """One of so many messages that wait."""
    batch_id = world.ids.next()
    messages = world.messages(size)
    for message in messages:
        message.account = account
    await world.store(messages)
    ids = [message.id for message in messages]
    connection = world.connection
    for table in ("message", "outbox"):
        await connection.execute(
            f"UPDATE {table} SET batch_id = $1 WHERE id = ANY($2)", batch_id, ids
        )
    await connection.execute(
        "INSERT INTO batch_control (id, account, until_id) VALUES ($1, $2, $3)",
        batch_id, account, ids[-1],
    )  # fmt: skip
    return batch_id, ids


async def ends(world: World, message_id: int, status: Status) -> None:
    await world.connection.execute("DELETE FROM outbox WHERE id = $1", message_id)
    row = SubmissionRow(
        id=world.ids.next(), message_id=message_id, part=1, parts=1, account=1, category=1,
        connector=CONNECTOR, status=status, submitted_at=datetime.now(UTC),
    )  # fmt: skip
    await insert_submissions(world.connection, [row])


async def test_a_batch_is_told_once_all_of_it_has_ended(world: World) -> None:
    await somebody_asks(world.connection, "batch.*")
    batch_id, (one, two) = await batch(world)
    await batch(world, account=2)  # nobody there wants to hear
    step = completion(world)
    assert await step.look() == 0
    await ends(world, one, Status.DELIVERED)
    await ends(world, two, Status.SENT)
    assert await step.look() == 0  # its receipt is owed
    await world.connection.execute("UPDATE submission SET status = 50 WHERE status = 10")
    assert await step.look() == 1
    [(kind, account, _, data)] = await told_others(world.connection)
    assert (kind, account, data["id"]) == (KIND, 1, format_id("bat", batch_id))
    assert (data["counts"]["delivered"], data["counts"]["undelivered"]) == (1, 1)
    told = Event(world.ids.next(), 1, KIND, batch_id, 0, 0, b"{}", None)
    await insert_events(world.connection, [told])
    assert await step.look() == 0


async def test_nobody_asks_for_what_is_being_accepted_or_long_past(world: World) -> None:
    await somebody_asks(world.connection, KIND)
    _, ids = await batch(world)
    for each in ids:
        await ends(world, each, Status.DELIVERED)
    now = wall_ms()
    for wall, found in ((now, 0), (now + int(timedelta(days=7).total_seconds()) * 1000, 0)):
        step = BatchCompletion(
            world.database.dedicated(f"completion-{wall}"), wanted=lambda: True, ids=world.ids,
            wall_ms=partial(int, wall), ended=lambda _: None,
        )  # fmt: skip
        assert await step.look() == found
    assert await completion(world).look() == 1


async def test_a_large_batch_is_told_although_its_tables_have_no_statistics(world: World) -> None:
    """As each day's have not, when its first batch is through."""
    await somebody_asks(world.connection, "batch.*")
    await without_statistics(world.connection, "message", "submission")
    _, ids = await batch(world, size=20_000)
    await world.connection.execute("DELETE FROM outbox WHERE id = ANY($1)", ids)
    now = datetime.now(UTC)
    rows = [
        SubmissionRow(
            id=world.ids.next(),
            message_id=each,
            part=1,
            parts=1,
            account=1,
            category=1,
            connector=CONNECTOR,
            status=Status.DELIVERED,
            submitted_at=now,
        )
        for each in ids
    ]
    await insert_submissions(world.connection, rows)
    assert await completion(world).look() == 1
