"""Whatever happens, in whatever order, and wherever a merge is killed: the rollups are exact."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlr.reasons import Reason
from dlr.rollups.merger import Merger
from dlr.rollups.recounter import Recounter
from dlr.status import RECEIPT_STATUSES, Status
from storage.pool import Connection
from tests.dlr.rollups.reference import assert_exact
from tests.dlr.rollups.traffic import OTHER_CONNECTOR, SANDBOX, Traffic, merge_all
from tests.dlr.rows import CONNECTOR, World

# Of each of the runs, which go side by side; ROLLUP_EXAMPLES asks for more.
EXAMPLES = int(os.environ.get("ROLLUP_EXAMPLES", "25"))
RUNS = 8
TABLES = (
    "message", "outbox", "submission", "unmatched_receipt", "rollup_name", "rollup_key",
    "rollup_cell", "rollup_day", "rollup_reason", "rollup_tag", "rollup_attempt",
    "rollup_latency", "rollup_latency_day", "rollup_change", "rollup_state", "rollup_day_state",
    "rollup_watch",
)  # fmt: skip
STATEMENTS_OF_A_MERGE = 30

CARRIERS = st.sampled_from([CONNECTOR, OTHER_CONNECTOR])
TOLD = st.sampled_from(sorted(RECEIPT_STATUSES))
REASONS = st.sampled_from([Reason.NONE, Reason.HANDSET_FULL, Reason.NUMBER_UNKNOWN])
ERRORS = st.sampled_from([None, "000", "034"])
ENDS = (Status.EXPIRED, Status.CANCELED, Status.UNCONFIRMED)
PLACE = st.integers(0, 4)
STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("accept"), st.integers(1, 3),
            st.sampled_from([CONNECTOR, CONNECTOR, OTHER_CONNECTOR, SANDBOX]),
            st.sampled_from([None, None, Status.SUPPRESSED, Status.CAPPED]),
            st.sampled_from([None, ["a"], ["a", "b", "a"]]), st.sampled_from([None, "spring"]),
        ),
        st.tuples(
            st.just("submit"), PLACE, st.integers(1, 3), CARRIERS,
            st.sampled_from(
                [Status.SENT, Status.SENT, Status.UNCONFIRMED, Status.REJECTED, Status.FAILED]
            ),
            REASONS, ERRORS,
        ),
        st.tuples(st.just("done"), PLACE),
        st.tuples(st.just("another_way"), PLACE, CARRIERS),
        st.tuples(st.just("receipt"), PLACE, TOLD, REASONS, ERRORS),
        st.tuples(st.just("early_receipt"), TOLD),
        st.tuples(st.just("sweep")),
        st.tuples(st.just("give_up")),
        st.tuples(st.just("doubt"), st.booleans()),
        st.tuples(st.just("end"), PLACE, st.sampled_from(ENDS)),
        st.tuples(st.just("retract"), PLACE),
        st.tuples(st.just("wait"), st.sampled_from([1, 200, 4000])),
        st.tuples(
            st.just("merge"), st.sampled_from([-7200, -100, 1]),
            st.none() | st.integers(0, STATEMENTS_OF_A_MERGE),
        ),
        st.tuples(st.just("recount"), st.none() | st.integers(0, STATEMENTS_OF_A_MERGE)),
    ),
    min_size=20,
    max_size=40,
)  # fmt: skip


class Killed(BaseException):
    """The process is gone."""


class Dying:
    """A connection whose process dies at a statement."""

    def __init__(self, connection: Connection, statements: int) -> None:
        self._connection = connection
        self._left = statements

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._connection, name)
        if name not in ("execute", "fetch", "fetchrow", "fetchval"):
            return found
        self._left -= 1
        if self._left < 0:
            raise Killed
        return found


@pytest.mark.timeout(30 + 10 * EXAMPLES)
@pytest.mark.parametrize("run", range(RUNS))
@settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
def test_any_order_of_events_and_any_kill_is_counted_exactly(
    runner: asyncio.Runner, database: Connection, run: int, steps: list[tuple[Any, ...]]
) -> None:
    runner.run(live_through(database, steps))


async def live_through(connection: Connection, steps: list[tuple[Any, ...]]) -> None:
    await connection.execute("".join(f"DELETE FROM {table};" for table in TABLES))
    traffic = Traffic(connection, World())
    for parts in (1, 1, 2):
        await traffic.accept(parts=parts)
    for name, *values in steps:
        if name == "merge":
            await merge(traffic, *values)
        elif name == "recount":
            await recount(traffic, *values)
        elif name == "wait":
            traffic.world.wait(seconds=values[0])
        elif name == "accept":
            await accept(traffic, *values)
        elif name in OF_A_MESSAGE:
            if traffic.messages:
                message = traffic.messages[values[0] % len(traffic.messages)]
                await OF_A_MESSAGE[name](traffic, message, *values[1:])
        else:
            await of_all(traffic, name, *values)
    await merge(traffic, 1, None)
    await recount(traffic, None)
    await assert_exact(connection)


async def accept(
    traffic: Traffic,
    parts: int,
    connector: int,
    ended: Status | None,
    tags: list[str] | None,
    campaign: str | None,
) -> None:
    cursor = await traffic.connection.fetchval("SELECT cursor FROM rollup_state")
    await traffic.accept(
        parts=parts,
        connector=connector,
        ended=ended,
        tags=tags,
        campaign=campaign,
        late=cursor is not None and cursor > traffic.world.ids.next(),
    )


async def submit(
    traffic: Traffic,
    message: int,
    part: int,
    connector: int,
    status: Status,
    reason: Reason,
    error: str | None,
) -> None:
    part = (part - 1) % traffic.parts[message] + 1
    await traffic.submit(message, part, status, connector=connector, reason=reason, error=error)


OF_A_MESSAGE: dict[str, Callable[..., Awaitable[None]]] = {
    "submit": submit,
    "done": Traffic.done,
    "another_way": Traffic.another_way,
    "end": Traffic.end,
    "retract": Traffic.retract,
}


async def of_all(traffic: Traffic, name: str, *given: Any) -> None:
    if name == "receipt":
        place, status, reason, error = given
        if traffic.submits:
            place %= len(traffic.submits)
            await traffic.receipt(place, status, reason=reason, error=error)
    elif name == "early_receipt":
        await traffic.early_receipt(given[0])
    elif name == "doubt":
        await traffic.doubt(drop=given[0])
    elif name == "sweep":
        await traffic.sweep()
    else:
        await traffic.give_up()


async def merge(traffic: Traffic, ahead_seconds: int, dies_at: int | None) -> None:
    """Count up to so many seconds from the traffic's now, unless it dies at this statement."""
    horizon = traffic.world.now + timedelta(seconds=ahead_seconds)
    merger = Merger(left_alone=datetime.now(UTC) - horizon)
    await dying(traffic.connection, dies_at, partial(merge_all, merger=merger))


async def recount(traffic: Traffic, dies_at: int | None) -> None:
    """Count anew what is in doubt."""
    recounter = Recounter()

    async def count_all(connection: Connection) -> None:
        for row in await connection.fetch(
            "SELECT day FROM rollup_day_state WHERE dirty_since IS NOT NULL"
        ):
            await recounter.recount(connection, row["day"], traffic.world.now, in_doubt=True)

    await dying(traffic.connection, dies_at, count_all)


async def dying(
    connection: Connection, dies_at: int | None, work: Callable[[Any], Awaitable[object]]
) -> None:
    if dies_at is None:
        await work(connection)
        return
    with contextlib.suppress(Killed):
        await work(Dying(connection, dies_at))
