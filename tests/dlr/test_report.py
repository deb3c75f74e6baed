"""Counts that add up: every accepted message is in exactly one outcome, whatever its parts went
through.
"""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from dlr.grouping import grouping_of
from dlr.ledger import insert_submissions
from dlr.rates import delivery_rates
from dlr.reasons import Reason
from dlr.report import (
    COUNTS,
    OUTCOMES,
    Counted,
    Span,
    message_counts,
    message_failures,
    message_latency,
    total_of,
)
from dlr.rollups.columns import ANSWER, RECEIPT
from dlr.rollups.latency import percentile
from dlr.status import Status, fold
from storage.categories import Category
from tests.dlr.rows import CONNECTOR, World, accepted_at

if TYPE_CHECKING:
    from storage.pool import Connection

UTC_ZONE = ZoneInfo("UTC")
ENDS_WITHOUT_THE_WIRE = [Status.FAILED, Status.SUPPRESSED, Status.CAPPED, Status.CANCELED]
ON_THE_WIRE = [status for status in Status if 0 < status <= Status.DELIVERED]


@pytest.fixture
def world() -> World:
    return World()


async def counts(connection: Connection, world: World, **filters: object) -> dict[str, int]:
    span = Span(**world.span, **filters)  # type: ignore[arg-type]  # its fields
    groups = await message_counts(connection, span)
    return {name: count for name, count in total_of(groups).items() if count}


async def grouped(connection: Connection, world: World, *names: str) -> Counted:
    grouping = grouping_of(names)
    day = timedelta(days=1)
    units = grouping.units(UTC_ZONE, world.now - day, world.now + day)
    found = await message_counts(connection, Span(**world.span), grouping, units)
    if grouping.unit is None:
        return found
    place = grouping.keys.index(grouping.unit)
    return {
        (*key[:place], units[int(key[place] or 0)].label, *key[place + 1 :]): counted
        for key, counted in found.items()
    }


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([Status.DELIVERED], {"sent": 1, "delivered": 1}),
        ([Status.DELIVERED, Status.DELIVERED], {"sent": 1, "delivered": 1}),
        ([Status.DELIVERED, Status.SENT], {"sent": 1, "pending": 1}),
        ([Status.DELIVERED, Status.UNDELIVERED], {"sent": 1, "undelivered": 1}),
        ([Status.SENT, Status.UNDELIVERED], {"sent": 1, "undelivered": 1}),
        ([Status.UNKNOWN, Status.EXPIRED], {"sent": 1, "expired": 1}),
        ([Status.UNCONFIRMED, Status.SENT], {"sent": 1, "unconfirmed": 1}),
        ([Status.REJECTED], {"sent": 1, "rejected": 1}),
    ],
)
async def test_a_message_is_what_its_parts_fold_to(
    connection: Connection, world: World, parts: list[Status], expected: dict[str, int]
) -> None:
    message_id = await world.message(connection, parts=len(parts))
    await insert_submissions(
        connection,
        [
            world.part(message_id=message_id, part=number, parts=len(parts), status=status)
            for number, status in enumerate(parts, start=1)
        ],
    )
    assert await counts(connection, world) == {"accepted": 1, **expected}


@pytest.mark.parametrize("end", ENDS_WITHOUT_THE_WIRE)
async def test_what_never_reached_the_wire_is_accepted_and_not_sent(
    connection: Connection, world: World, end: Status
) -> None:
    message_id = await world.message(connection)
    await insert_submissions(connection, [world.part(message_id=message_id, part=0, status=end)])
    assert await counts(connection, world) == {"accepted": 1, end.label: 1}


async def test_what_waits_is_pending(connection: Connection, world: World) -> None:
    await world.message(connection, waiting=True)  # in the outbox
    await world.message(connection)  # in flight: neither outbox nor result yet
    half = await world.message(connection, parts=2, waiting=True)  # to be sent again
    missing = await world.message(connection, parts=2)
    await insert_submissions(
        connection,
        [
            world.part(message_id=half, parts=2, status=Status.DELIVERED),
            world.part(message_id=missing, parts=2, status=Status.DELIVERED),
        ],
    )
    assert await counts(connection, world) == {"accepted": 4, "sent": 2, "pending": 4}


async def test_a_part_tried_twice_counts_once_and_by_its_best_end(
    connection: Connection, world: World
) -> None:
    message_id = await world.message(connection)
    await insert_submissions(
        connection,
        [
            world.part(message_id=message_id, status=Status.UNCONFIRMED),
            world.part(message_id=message_id, status=Status.DELIVERED),
        ],
    )
    assert await counts(connection, world) == {"accepted": 1, "sent": 1, "delivered": 1}


async def test_the_sql_folds_as_the_state_table_does_and_the_outcomes_add_up(
    connection: Connection, world: World
) -> None:
    random = Random(31)
    expected = dict.fromkeys(OUTCOMES, 0)
    rows = []
    for _ in range(300):
        parts = random.choice([1, 1, 2, 3])
        message_id = await world.message(
            connection, parts=parts, category=random.randrange(4), account=random.randrange(1, 4)
        )
        if random.random() < 0.2:
            ends = [random.choice(ENDS_WITHOUT_THE_WIRE)]
        else:
            ends = random.choices(ON_THE_WIRE, k=parts)
        for number, status in enumerate(ends, start=0 if ends[0] > Status.DELIVERED else 1):
            rows.append(world.part(message_id=message_id, part=number, parts=parts, status=status))
        end = fold(ends)
        expected["pending" if end is Status.SENT else end.label] += 1
    await insert_submissions(connection, rows)
    for group_by in ((), ("category",), ("account", "category", "hour"), ("reason",)):
        groups = await grouped(connection, world, *group_by)
        total = total_of(groups)
        assert total["accepted"] == 300
        assert {name: total[name] for name in OUTCOMES} == expected
        for counted in groups.values():
            assert set(counted) == set(COUNTS)
            assert counted["accepted"] == sum(counted[name] for name in OUTCOMES)
            delivery_rates(counted)  # no numerator above its denominator


async def test_grouping(connection: Connection, world: World) -> None:
    for category, campaign, variant in ((1, "summer", "A"), (3, "summer", "B"), (3, None, None)):
        await world.message(
            connection, category=category, campaign_id=campaign, variant=variant, account=2
        )
    groups = await grouped(connection, world, "campaign", "category")
    assert {key: counted["accepted"] for key, counted in groups.items()} == {
        ("summer", Category.TRANSACTIONAL): 1,
        ("summer", Category.MARKETING): 1,
        (None, Category.MARKETING): 1,
    }
    assert set(await grouped(connection, world, "account", "connector")) == {(2, CONNECTOR)}
    assert set(await grouped(connection, world, "day")) == {(world.now.date().isoformat(),)}
    assert set(await grouped(connection, world, "variant")) == {("A",), ("B",), (None,)}


async def test_a_message_counts_under_each_of_its_tags(
    connection: Connection, world: World
) -> None:
    for tags in (["new", "vip"], ["new", "new"], [], None):
        message_id = await world.message(connection)
        await connection.execute("UPDATE message SET tags = $2 WHERE id = $1", message_id, tags)
    groups = await grouped(connection, world, "tag")
    assert {key: counted["accepted"] for key, counted in groups.items()} == {
        ("new",): 2, ("vip",): 1,
    }  # fmt: skip


async def test_filters_and_bounds(connection: Connection, world: World) -> None:
    mine = await world.message(connection, account=1, campaign_id="summer")
    await world.message(connection, account=2)
    assert (await counts(connection, world, account=1))["accepted"] == 1
    assert (await counts(connection, world, campaign="summer"))["accepted"] == 1
    assert await counts(connection, world, batch=5) == {}
    for until_id, groups in ((mine, 0), (mine + 1, 1)):
        assert len(await message_counts(connection, Span(mine, until_id))) == groups


async def test_a_failed_message_has_the_reason_of_its_deciding_part(
    connection: Connection, world: World
) -> None:
    failed = await world.message(connection, parts=2)
    open_partly = await world.message(connection, parts=2)
    delivered = await world.message(connection)
    await insert_submissions(
        connection,
        [
            world.part(
                message_id=failed, parts=2, status=Status.EXPIRED, reason=Reason.EXPIRED, part=1
            ),
            world.part(
                message_id=failed,
                parts=2,
                status=Status.UNDELIVERED,
                reason=Reason.NUMBER_UNKNOWN,
                part=2,
            ),
            world.part(
                message_id=open_partly, parts=2, status=Status.EXPIRED, reason=Reason.EXPIRED
            ),
            world.part(message_id=open_partly, parts=2, part=2),
            world.part(message_id=delivered, status=Status.DELIVERED),
        ],
    )
    groups = await grouped(connection, world, "reason")
    assert {key: counted["accepted"] for key, counted in groups.items()} == {
        (Reason.NONE,): 1,
        (Reason.NUMBER_UNKNOWN,): 1,
        (Reason.EXPIRED,): 1,
    }


async def test_what_came_after_the_validity_is_late(connection: Connection, world: World) -> None:
    for minutes in (-1, 1):
        message_id = await world.message(connection)
        part = world.part(message_id=message_id, status=Status.DELIVERED)
        part.receipt_at = world.now
        await insert_submissions(connection, [part])
        await connection.execute(
            "UPDATE message SET expires_at = $2 WHERE id = $1",
            message_id,
            world.now + timedelta(minutes=minutes),
        )
    assert await counts(connection, world) == {"accepted": 2, "sent": 2, "delivered": 2, "late": 1}


async def test_failures_are_told_in_the_carriers_own_words_by_message(
    connection: Connection, world: World
) -> None:
    """A message has the word of the part that decided, however many failed with it."""
    rows = []
    for _ in range(3):
        message_id = await world.message(connection, parts=2)
        rows += [
            world.part(
                message_id=message_id, part=1, parts=2, status=Status.EXPIRED, error="MI:0022"
            ),
            world.part(
                message_id=message_id, part=2, parts=2, status=Status.UNDELIVERED,
                reason=Reason.NUMBER_UNKNOWN, error="MK:0001",
            ),
        ]  # fmt: skip
    for account, status, error, waiting in (
        (9, Status.EXPIRED, None, False), (1, Status.DELIVERED, "000", False),
        (1, Status.SENT, None, False), (1, Status.UNDELIVERED, "034", True),
    ):  # fmt: skip
        message_id = await world.message(connection, account=account, waiting=waiting)
        rows.append(world.part(message_id=message_id, account=account, status=status, error=error))
    message_id = await world.message(connection)
    rows.append(world.part(message_id=message_id, part=0, status=Status.FAILED, error="no"))
    await insert_submissions(connection, rows)
    found = await message_failures(connection, Span(**world.span, account=1))
    assert found == {(CONNECTOR, Status.UNDELIVERED, Reason.NUMBER_UNKNOWN, "MK:0001"): 3}
    assert (await message_failures(connection, Span(**world.span, account=9))).total() == 1


async def test_latencies(connection: Connection, world: World) -> None:
    rows = []
    for seconds in range(1, 101):
        row = world.part(category=2)
        row.submitted_at = accepted_at(row.message_id) + timedelta(milliseconds=1)
        row.responded_at = accepted_at(row.message_id) + timedelta(seconds=seconds)
        row.receipt_at = row.submitted_at + timedelta(seconds=2 * seconds)
        rows.append(row)
    half = world.part(category=2, parts=2)  # the other part is not answered yet
    await insert_submissions(connection, [*rows, half])
    found = await message_latency(connection, Span(**world.span, account=1))
    assert {key: histogram.total() for key, histogram in found.items()} == {
        (ANSWER, 2): 100, (RECEIPT, 2): 100,
    }  # fmt: skip
    for share, seconds in (("0.5", 50), ("0.95", 95), ("0.99", 99)):
        assert percentile(found[ANSWER, 2], share) == pytest.approx(seconds * 1000, rel=0.026)
        assert percentile(found[RECEIPT, 2], share) == pytest.approx(seconds * 2000, rel=0.026)
    assert await message_latency(connection, Span(**world.span, account=2)) == {}


async def test_a_message_belongs_to_the_connector_that_decided_about_it(
    connection: Connection, world: World
) -> None:
    """A retry over another connector, a message that waits, one that ended without the wire."""
    for first, second, choice in (
        (Status.UNDELIVERED, Status.DELIVERED, 8), (Status.UNDELIVERED, Status.EXPIRED, CONNECTOR),
    ):  # fmt: skip
        message_id = await world.message(connection)
        await insert_submissions(
            connection,
            [
                world.part(message_id=message_id, status=first, connector=CONNECTOR),
                world.part(message_id=message_id, status=second, connector=8),
            ],
        )
        groups = await message_counts(
            connection, Span(message_id, message_id + 1), grouping_of(["connector"])
        )
        assert set(groups) == {(choice,)}
    waits = await world.message(connection, waiting=True)
    ended = await world.message(connection)
    await insert_submissions(
        connection, [world.part(message_id=ended, part=0, status=Status.FAILED, connector=0)]
    )
    groups = await message_counts(connection, Span(waits, ended + 1), grouping_of(["connector"]))
    assert {key: counted["accepted"] for key, counted in groups.items()} == {(CONNECTOR,): 2}
