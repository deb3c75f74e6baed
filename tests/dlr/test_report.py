"""Counts that add up: every accepted message is in exactly one outcome, whatever its parts went
through.
"""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING

import pytest

from dlr.ledger import insert_submissions
from dlr.rates import delivery_rates
from dlr.reasons import Reason
from dlr.report import (
    COUNTS,
    FAILURE_CODES_MAX,
    OUTCOMES,
    delivery_counts,
    failure_codes,
    receipt_latency,
    submit_latency,
    total_of,
)
from dlr.status import Status, fold
from tests.dlr.rows import CONNECTOR, World, accepted_at

if TYPE_CHECKING:
    from storage.pool import Connection

ENDS_WITHOUT_THE_WIRE = [Status.FAILED, Status.SUPPRESSED, Status.CAPPED, Status.CANCELED]
ON_THE_WIRE = [status for status in Status if 0 < status <= Status.DELIVERED]


@pytest.fixture
def world() -> World:
    return World()


async def counts(connection: Connection, world: World, **filters: object) -> dict[str, int]:
    groups = await delivery_counts(connection, **world.span, **filters)  # type: ignore[arg-type]  # its keywords
    return {name: count for name, count in total_of(groups).items() if count}


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
    for group_by in ((), ("category",), ("account", "category", "day"), ("reason",)):
        groups = await delivery_counts(connection, **world.span, group_by=group_by)
        total = total_of(groups)
        assert {name: total[name] for name in OUTCOMES} == expected
        for group in groups:
            assert set(group.counts) == set(COUNTS)
            assert group.counts["accepted"] == sum(group.counts[name] for name in OUTCOMES)
            delivery_rates(group.counts)  # no numerator above its denominator
    assert total["accepted"] == 300


async def test_grouping(connection: Connection, world: World) -> None:
    for category, campaign, variant in ((1, "summer", "A"), (3, "summer", "B"), (3, None, None)):
        await world.message(
            connection, category=category, campaign_id=campaign, variant=variant, account=2
        )
    groups = await delivery_counts(connection, **world.span, group_by=("campaign", "category"))
    assert [(group.key, group.counts["accepted"]) for group in groups] == [
        ({"campaign": "summer", "category": "transactional"}, 1),
        ({"campaign": "summer", "category": "marketing"}, 1),
        ({"campaign": None, "category": "marketing"}, 1),
    ]
    [group] = await delivery_counts(connection, **world.span, group_by=("account", "connector"))
    assert group.key == {"account": 2, "connector": CONNECTOR}
    [group] = await delivery_counts(connection, **world.span, group_by=("day",))
    assert group.key == {"day": world.now.date().isoformat()}
    variants = await delivery_counts(connection, **world.span, group_by=("variant",))
    assert [group.key["variant"] for group in variants] == ["A", "B", None]
    with pytest.raises(ValueError, match="expected any of account"):
        await delivery_counts(connection, **world.span, group_by=("status",))


async def test_filters_and_bounds(connection: Connection, world: World) -> None:
    mine = await world.message(connection, account=1, campaign_id="summer")
    await world.message(connection, account=2)
    assert (await counts(connection, world, account=1))["accepted"] == 1
    assert (await counts(connection, world, campaign="summer"))["accepted"] == 1
    assert await counts(connection, world, batch=5) == {}
    for until_id, groups in ((mine, 0), (mine + 1, 1)):
        found = await delivery_counts(connection, since_id=mine, until_id=until_id)
        assert len(found) == groups


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
    groups = await delivery_counts(connection, **world.span, group_by=("reason",))
    assert [(group.key["reason"], group.counts["accepted"]) for group in groups] == [
        ("none", 1),
        ("number_unknown", 1),
        ("expired", 1),
    ]


async def test_failure_codes_are_the_carriers_own_words(
    connection: Connection, world: World
) -> None:
    rows = [
        world.part(status=Status.UNDELIVERED, reason=Reason.NUMBER_UNKNOWN, error="MK:0001")
        for _ in range(3)
    ]
    rows.append(world.part(status=Status.EXPIRED, reason=Reason.EXPIRED, account=9))
    rows += [world.part(status=Status.DELIVERED, error="000"), world.part()]
    ours = world.part(status=Status.FAILED, reason=Reason.UNKNOWN, error="in doubt")
    ours.responded_at = None
    rows += [ours, world.part(part=0, status=Status.FAILED, error="cannot be encoded")]
    await insert_submissions(connection, rows)
    found = await failure_codes(connection, **world.span)
    assert (found.parts, found.complete) == (4, True)
    assert [(code.error, code.reason, code.status, code.parts) for code in found.codes] == [
        ("MK:0001", "number_unknown", "undelivered", 3),
        (None, "expired", "expired", 1),
    ]
    assert (await failure_codes(connection, **world.span, account=9)).parts == 1


async def test_f1_more_failure_codes_than_are_told_are_counted_and_said(
    connection: Connection, world: World
) -> None:
    rows = [
        world.part(status=Status.UNDELIVERED, error=f"{number:03}")
        for number in range(FAILURE_CODES_MAX + 1)
    ]
    await insert_submissions(connection, rows[:-1])
    found = await failure_codes(connection, **world.span)
    assert (len(found.codes), found.complete) == (FAILURE_CODES_MAX, True)
    await insert_submissions(connection, rows[-1:])
    found = await failure_codes(connection, **world.span)
    assert (len(found.codes), found.complete) == (FAILURE_CODES_MAX, False)
    assert found.parts == FAILURE_CODES_MAX + 1


async def test_latencies(connection: Connection, world: World) -> None:
    rows = []
    for seconds in range(1, 101):
        row = world.part(category=2)
        row.submitted_at = accepted_at(row.message_id) + timedelta(seconds=seconds)
        row.receipt_at = row.submitted_at + timedelta(seconds=2 * seconds)
        rows.append(row)
    unanswered = world.part(category=2)
    unanswered.submitted_at = None
    await insert_submissions(connection, [*rows, unanswered])
    [submit] = await submit_latency(connection, **world.span)
    assert (submit.category, submit.parts) == ("service", 100)
    assert (submit.p50, submit.p95, submit.p99) == pytest.approx((50.5, 95.05, 99.01))
    [receipt] = await receipt_latency(connection, **world.span)
    assert (receipt.p50, receipt.p95, receipt.p99) == pytest.approx((101, 190.1, 198.02))
    assert await receipt_latency(connection, **world.span, account=2) == []
