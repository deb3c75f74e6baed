"""What a report reads from rollups is what it would count from the messages."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings

from dlr.counting import Question, failures_told, latency_told, reach_of, told
from dlr.grouping import grouping_of
from dlr.reasons import Reason
from dlr.report import Span, message_counts, message_failures, message_latency
from dlr.rollups.columns import quarter_of, start_of_quarter
from dlr.status import Status
from storage.ids import id_at
from storage.pool import Connection
from tests.dlr.rollups.test_any_order import STEPS, live_through
from tests.dlr.rows import World

GROUPINGS = (
    (), ("connector",), ("campaign", "connector"), ("reason",), ("reason", "connector"),
    ("sender", "country"), ("operator", "category"), ("hour", "variant"), ("tag",), ("tag", "day"),
    ("day", "reason"),
)  # fmt: skip


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
@example(
    # Of the sandbox: in no report, whether it ended at once or by a submit.
    steps=[
        ("accept", 1, -1, None, None, None),
        ("end", 3, Status.EXPIRED),
        ("accept", 1, -1, None, None, None),
        ("submit", 4, 1, 7, Status.SENT, Reason.NONE, None),
        ("done", 4),
    ]
)
@pytest.mark.timeout(150)
def test_a_report_from_rollups_is_the_report_from_messages(
    runner: asyncio.Runner, database: Connection, steps: list[tuple[Any, ...]]
) -> None:
    runner.run(compare(database, steps))


async def compare(connection: Connection, steps: list[tuple[Any, ...]]) -> None:
    await live_through(connection, steps)
    cursor = await connection.fetchval("SELECT cursor FROM rollup_state")
    now = World().now
    first = start_of_quarter(quarter_of(now - timedelta(hours=12)))
    # In whole quarters, all of them below the cursor, or to the very cursor.
    question = Question(1, first, now + timedelta(days=1), now)
    span = Span(id_at(first), cursor, account=1)
    for names in GROUPINGS:
        grouping = grouping_of(names)
        asked = Question(1, first, question.until, now, grouping)
        found = await told(connection, asked)
        counted = await message_counts(connection, span, grouping, found.units)
        if "reason" in names:
            for counts in counted.values():
                del counts["late"]
        assert found.groups == counted, names
    reach = await reach_of(connection, first, question.until, now)
    assert await failures_told(connection, 1, reach) == await message_failures(connection, span)
    times = await latency_told(connection, 1, reach)
    assert {kind: Counter(each) for kind, each in times.items()} == await message_latency(
        connection, span
    )
