"""A process knows how late its loop runs and how long its lease still holds."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from gateway.vitals import LAG_SLOTS, LAG_SPAN_SECONDS, Lease, LoopLag, WorstOf, free_bytes

SLOT = LAG_SPAN_SECONDS / LAG_SLOTS
VALUES = st.lists(st.tuples(st.floats(0, 100), st.floats(0, 30)), max_size=40)


@given(VALUES, st.floats(0, 200))
def test_the_worst_is_of_the_last_minute_to_within_a_slot(
    steps: list[tuple[float, float]], pause: float
) -> None:
    worst, now = WorstOf(), 0.0
    added: list[tuple[float, float]] = []
    for wait, value in steps:
        now += wait
        worst.add(value, now)
        added.append((now, value))
    now += pause
    surely = [value for at, value in added if now - at <= LAG_SPAN_SECONDS - SLOT]
    perhaps = [value for at, value in added if now - at <= LAG_SPAN_SECONDS + SLOT]
    assert max(surely, default=0.0) <= worst.worst(now) <= max(perhaps, default=0.0)


async def test_a_loop_that_was_held_up_is_seen() -> None:
    lag = LoopLag(time.monotonic)
    lag.start()
    try:
        time.sleep(0.3)  # what must never happen on a loop  # noqa: ASYNC251
        async with asyncio.timeout(10):
            while lag.seconds() < 0.1:
                await asyncio.sleep(0)
    finally:
        lag.stop()


def test_a_lease_counts_from_the_beginning_of_its_last_renewal() -> None:
    now = [100.0]
    lease = Lease(10.0, lambda: now[0])
    now[0] = 104.0
    assert lease.seconds_left() == 6.0
    lease.failed()
    assert (lease.database_up, lease.seconds_left()) == (False, 6.0)
    lease.renewed(103.0, -0.5)
    assert (lease.database_up, lease.seconds_left(), lease.clock_skew) == (True, 9.0, -0.5)
    now[0] = 200.0
    assert lease.seconds_left() == 0.0


def test_a_folder_that_is_gone_has_no_figure(tmp_path: Path) -> None:
    free = free_bytes(tmp_path)
    assert free is not None and free > 0
    assert free_bytes(tmp_path / "gone") is None
