"""Moments that are given out ahead keep the rate."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratelimit.spec import rate
from ratelimit.virtual_schedule import VirtualSchedule

SECOND = 1_000_000_000


@given(
    st.integers(1, 1_000),
    st.integers(1, 60),
    st.integers(1, 50),
    st.lists(st.tuples(st.integers(1, 5), st.integers(0, SECOND)), min_size=1, max_size=60),
)
def test_no_second_sees_more_than_rate_and_burst(
    numerator: int, denominator: int, burst: int, reservations: list[tuple[int, int]]
) -> None:
    schedule = VirtualSchedule(rate(numerator, denominator, burst))
    now = 0
    moments: list[tuple[int, int]] = []
    for n, later in reservations:
        now += later
        moments.append((now + schedule.reserve(n, now), n))
    for start, _ in moments:
        within = sum(n for at, n in moments if start <= at < start + SECOND)
        assert within <= numerator / denominator + max(burst, max(n for _, n in moments)) + 1


def test_the_burst_goes_at_once_and_the_rest_in_step() -> None:
    schedule = VirtualSchedule(rate(10, 1, 2))
    assert [schedule.reserve(1, 0) for _ in range(5)] == [
        0, 0, SECOND // 10, 2 * SECOND // 10, 3 * SECOND // 10,
    ]  # fmt: skip


def test_a_pause_does_not_save_up_more_than_the_burst() -> None:
    schedule = VirtualSchedule(rate(10, 1, 2))
    schedule.reserve(2, 0)
    assert [schedule.reserve(1, 60 * SECOND) for _ in range(3)] == [0, 0, SECOND // 10]


def test_what_is_borrowed_is_waited_for_by_those_behind() -> None:
    schedule = VirtualSchedule(rate(10, 1, 1))
    schedule.borrow(3, 0)
    assert schedule.reserve(1, 0) == 3 * SECOND // 10


def test_a_rate_of_nothing_has_no_moments() -> None:
    with pytest.raises(ValueError, match="above 0"):
        VirtualSchedule(rate(0))
