"""A merge hands over what has ended, as often as it counts it, and in its own transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from dlr.reasons import Reason
from dlr.rollups.merger import Merger
from dlr.status import Status
from storage.pool import Connection
from tests.dlr.rollups.reference import assert_exact
from tests.dlr.rollups.traffic import SANDBOX, Traffic, merge_all


class Told:
    """Hears of account 1, and dies at first if it is told to."""

    def __init__(self, accounts: Sequence[int] = (1,), *, dies: bool = False) -> None:
        self.delivered: list[int] = []
        self.failed: list[int] = []
        self._accounts = accounts
        self._dies = dies

    async def accounts(self, connection: Connection) -> Sequence[int]:
        return self._accounts

    async def ended(
        self, connection: Connection, delivered: Sequence[int], failed: Sequence[int]
    ) -> None:
        if self._dies:
            self._dies = False
            raise ConnectionError
        self.delivered += delivered
        self.failed += failed


def merger(told: Told) -> Merger:
    return Merger(left_alone=timedelta(hours=-1), outcomes=told)


@pytest.fixture
def traffic(connection: Connection) -> Traffic:
    return Traffic(connection)


async def sent(traffic: Traffic, status: Status, reason: Reason = Reason.NONE) -> int:
    message = await traffic.accept()
    await traffic.submit(message)
    await traffic.done(message)
    await traffic.receipt(len(traffic.submits) - 1, status, reason=reason)
    return message


async def test_what_was_delivered_or_would_fail_again_is_handed_over(
    connection: Connection, traffic: Traffic
) -> None:
    told = Told()
    delivered = await sent(traffic, Status.DELIVERED)
    dead = await sent(traffic, Status.UNDELIVERED, Reason.NUMBER_UNKNOWN)
    await sent(traffic, Status.UNDELIVERED, Reason.HANDSET_UNREACHABLE)
    await sent(traffic, Status.EXPIRED, Reason.EXPIRED)
    await traffic.accept(ended=Status.SUPPRESSED)
    await traffic.accept(connector=SANDBOX)
    waits = await traffic.accept()
    await merge_all(connection, merger(told))
    assert (told.delivered, told.failed) == ([delivered], [dead])
    await traffic.submit(waits)
    await traffic.done(waits)
    await merge_all(connection, merger(told))
    assert told.delivered == [delivered], "nothing has ended since"
    await traffic.receipt(len(traffic.submits) - 1, Status.DELIVERED)
    await merge_all(connection, merger(told))
    assert (told.delivered, told.failed) == ([delivered, waits], [dead])
    await assert_exact(connection)


async def test_a_late_message_and_one_that_nobody_watches_are_handed_over(
    connection: Connection, traffic: Traffic
) -> None:
    told = Told()
    first = await sent(traffic, Status.UNKNOWN)
    await merge_all(connection, merger(told))
    await connection.execute("DELETE FROM rollup_watch")
    late = await traffic.accept(late=True)
    await traffic.submit(late)
    await traffic.done(late)
    await traffic.receipt(0, Status.DELIVERED)
    await traffic.receipt(1, Status.DELIVERED)
    await merge_all(connection, merger(told))
    assert sorted(told.delivered) == sorted([first, late])


async def test_nobody_is_asked_about_what_nobody_wants(
    connection: Connection, traffic: Traffic
) -> None:
    told, others = Told(()), Told((2,))
    await sent(traffic, Status.DELIVERED)
    await merge_all(connection, merger(told))
    await sent(traffic, Status.DELIVERED)
    await merge_all(connection, merger(others))
    assert (told.delivered, others.delivered) == ([], [])


async def test_who_cannot_take_it_takes_the_merge_along(
    connection: Connection, traffic: Traffic
) -> None:
    told = Told(dies=True)
    message = await sent(traffic, Status.DELIVERED)
    with pytest.raises(ConnectionError):
        await merge_all(connection, merger(told))
    assert await connection.fetchval("SELECT count(*) FROM rollup_cell") == 0
    await merge_all(connection, merger(told))
    assert told.delivered == [message]
    await assert_exact(connection)
