"""Merges count each message once, and each change of it once."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from dlr.rollups.merger import Merger
from dlr.status import Status
from tests.dlr.rollups.reference import assert_exact
from tests.dlr.rollups.traffic import Traffic

if TYPE_CHECKING:
    from storage.pool import Connection

AT_ONCE = timedelta(hours=-1)  # everything made so far is old enough


@pytest.fixture
def traffic(connection: Connection) -> Traffic:
    return Traffic(connection)


async def test_a_message_is_counted_and_moves_with_its_receipt(
    connection: Connection, traffic: Traffic
) -> None:
    merger = Merger(left_alone=AT_ONCE)
    message = await traffic.accept(parts=2, tags=["a", "b"], campaign="spring")
    await merger.merge(connection)
    await assert_exact(connection)
    await traffic.submit(message, 1)
    await traffic.submit(message, 2)
    await traffic.done(message)
    await merger.merge(connection)
    await assert_exact(connection)
    await traffic.receipt(0, Status.DELIVERED)
    await traffic.receipt(1, Status.UNDELIVERED)
    merged = await merger.merge(connection)
    assert (merged.counted, merged.changed, merged.dirty) == (0, 1, 0)
    await assert_exact(connection)
    assert await connection.fetchval("SELECT sum(undelivered) FROM rollup_day") == 1
