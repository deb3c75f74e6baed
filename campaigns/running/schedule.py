"""Who may go when: the canary's size, slots, the ramp, and what a rate lets go by now.

Owns this arithmetic. Must not know hours of the day (windows.py), nor read a clock. Pure.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta

CANARY_MIN, CANARY_MAX = 200, 2_000
CHUNK_RECIPIENTS_MAX = 500
RAMP_FIRST = 0.1  # of the rate, in the first hour
RAMP_DOUBLES = timedelta(hours=1)
START_BY = timedelta(hours=2)  # after its start a campaign that has not begun waits for a person
_MINUTE = timedelta(minutes=1)


def canary_size(planned: int, share: float) -> int:
    """How many go first: `share` (0..1) of them, 200 to 2 000, and never more than there are.

    0 without a share.
    """
    if share <= 0:
        return 0
    return min(planned, CANARY_MAX, max(CANARY_MIN, math.ceil(planned * share)))


def slot_of(
    seq: int, *, planned: int, canary: int, spread_minutes: int, test_end: int | None = None
) -> int:
    """The minute from which recipient `seq` (from 0) may go.

    The canary goes at once. The test of an experiment is spread evenly, and so is who comes behind
    `test_end`, from the decision on. plan.sql says the same in SQL.
    """
    if seq < canary or spread_minutes <= 0:
        return 0
    test_end = planned if test_end is None else test_end
    first, end = (canary, test_end) if seq < test_end else (test_end, planned)
    return (seq - first) * spread_minutes // (end - first)


def slot_now(started_at: datetime, now: datetime) -> int:
    """The last slot that may go by `now`; below 0 before the start."""
    return math.floor((now - started_at) / _MINUTE)


def let_go(elapsed: timedelta, per_second: float | None, *, ramp: bool) -> float:
    """How many recipients a rate has let go since it began to count; infinite without one.

    With `ramp` it begins at a tenth of the rate and doubles each hour, up to the whole of it.
    """
    seconds = max(0.0, elapsed.total_seconds())
    if per_second is None:
        return math.inf
    if not ramp:
        return seconds * per_second
    total, share, hour = 0.0, RAMP_FIRST, RAMP_DOUBLES.total_seconds()
    while seconds > 0 and share < 1.0:
        step = min(seconds, hour)
        total += step * share * per_second
        seconds -= step
        share = min(1.0, share * 2)
    return total + seconds * per_second


def finish_after(
    remaining: int, per_second: float | None, *, ramp: bool, spread_minutes: int
) -> timedelta:
    """How long `remaining` recipients take at least, by rate and spread alone."""
    by_spread = spread_minutes * _MINUTE
    if per_second is None or remaining <= 0:
        return by_spread
    seconds, left = 0.0, float(remaining)
    share, hour = (RAMP_FIRST if ramp else 1.0), RAMP_DOUBLES.total_seconds()
    while share < 1.0 and left > hour * share * per_second:
        left -= hour * share * per_second
        seconds += hour
        share = min(1.0, share * 2)
    return max(by_spread, timedelta(seconds=seconds + left / (share * per_second)))


def late(start: datetime, now: datetime) -> bool:
    """Whether a campaign that has not begun is too late to begin by itself."""
    return now > start + START_BY
