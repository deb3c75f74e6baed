"""The event table: what was appended is read back, in order, message by message."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import get_args

import pytest

from storage.events import Event, EventKind, append, of_message
from storage.ids import IdSource
from storage.pool import Connection


@pytest.fixture
def ids() -> IdSource:
    return IdSource(1, lambda: time.time_ns() // 1_000_000)


async def test_events_come_back_in_the_order_they_happened(
    connection: Connection, ids: IdSource
) -> None:
    message, other = ids.take(2)
    happened = [
        Event(ids.next(), message, kind, {"n": n}) for n, kind in enumerate(get_args(EventKind))
    ]
    elsewhere = Event(ids.next(), other, "held", {})
    await append(connection, [*reversed(happened), elsewhere])
    assert await of_message(connection, message) == happened
    assert await of_message(connection, other) == [elsewhere]
    assert await of_message(connection, ids.next()) == []


async def test_a_detail_keeps_what_json_can_hold(connection: Connection, ids: IdSource) -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    detail = {"text": "回T退订 \"'\\", "number": 1 << 53, "none": None, "list": [1, "x"], "at": at}
    await append(connection, [Event(ids.next(), 5, "retry", detail)])
    [event] = await of_message(connection, 5)
    assert event.detail == {**detail, "at": at.isoformat().replace("+00:00", "Z")}


async def test_nothing_is_written_without_events(connection: Connection) -> None:
    await append(connection, [])
    assert await connection.fetchval("SELECT count(*) FROM event") == 0


async def test_the_writers_transaction_decides(connection: Connection, ids: IdSource) -> None:
    transaction = connection.transaction()
    await transaction.start()
    await append(connection, [Event(ids.next(), 5, "held", {})])
    await transaction.rollback()
    assert await of_message(connection, 5) == []
