"""Deliveries are read from messages, and from rows once these are gone: the same days."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from dlr.hygiene import evidence
from dlr.ledger import insert_submissions
from dlr.status import Status
from storage.names import SANDBOX
from tests.dlr.rows import World

if TYPE_CHECKING:
    from storage.pool import Connection

NUMBER = (1).to_bytes(16, "big")


async def test_deliveries_outlive_their_messages(connection: Connection) -> None:
    world = World()
    today = world.now.date()
    since = today - timedelta(days=30)
    moments = [world.now - timedelta(days=days, hours=1) for days in (3, 3, 0)]
    for number, account, moment in zip((1, 1, 2), (1, 2, 1), moments, strict=True):
        message_id = await world.message(connection, recipient=number, account=account)
        row = world.part(message_id=message_id, status=Status.DELIVERED, account=account)
        row.receipt_at = moment
        await insert_submissions(connection, [row])
    sandbox = await world.message(connection, recipient=3, connector=SANDBOX)
    row = world.part(message_id=sandbox, status=Status.DELIVERED)
    row.receipt_at = world.now
    await insert_submissions(connection, [row])
    numbers = [number.to_bytes(16, "big") for number in (1, 2, 3)]
    before = await evidence.deliveries(connection, numbers, since=since)
    assert before == {
        numbers[0]: {moments[0].date(): moments[0]},
        numbers[1]: {moments[2].date(): moments[2]},
    }
    own = await evidence.deliveries(connection, numbers, since=since, accounts=[2])
    assert own == {numbers[0]: {moments[1].date(): moments[1]}}
    midnight = datetime.combine(today, time.min, UTC)
    for _ in range(2):  # told again, nothing changes
        await evidence.keep_deliveries(connection, midnight, midnight + timedelta(days=1))
    assert await connection.fetchval("SELECT count(*) FROM number_evidence") == 3
    assert await evidence.deliveries(connection, numbers, since=since) == before
    await connection.execute("DELETE FROM message")
    assert await evidence.deliveries(connection, numbers, since=since) == before
    assert await evidence.deliveries(connection, numbers, since=since, accounts=[2]) == own


async def test_no_delivery_to_a_person_that_was_erased_is_kept(connection: Connection) -> None:
    world = World()
    message_id = await world.message(connection, recipient=1)
    row = world.part(message_id=message_id, status=Status.DELIVERED)
    row.receipt_at = world.now
    await insert_submissions(connection, [row])
    await connection.execute("UPDATE message SET to_enc = ''")
    day = timedelta(days=1)
    await evidence.keep_deliveries(connection, world.now - day, world.now + day)
    assert await connection.fetchval("SELECT count(*) FROM number_evidence") == 0


async def test_what_no_longer_counts_is_not_kept(connection: Connection) -> None:
    world = World()
    message_id = await world.message(connection, recipient=1)
    row = world.part(message_id=message_id, status=Status.DELIVERED)
    row.receipt_at = world.now
    await insert_submissions(connection, [row])
    old = world.now - timedelta(days=evidence.COUNTED_DAYS + 2)
    await evidence.keep_deliveries(connection, old - timedelta(days=3), old)
    assert await connection.fetchval("SELECT count(*) FROM number_evidence") == 0
