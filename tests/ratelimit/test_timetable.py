"""Moments that are given out ahead, in any order, keep the rate and leave no room unused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratelimit import timetable
from ratelimit.nested import first_moment
from ratelimit.spec import RateSpec, rate
from ratelimit.timetable import Timetable

SECOND = 1_000_000_000
MS = 1_000_000

specs = st.builds(RateSpec, st.integers(1, 1_000), st.integers(1, 60), st.integers(1, 20))
# How much later than the one before, how much later than that it may go at best, and its parts.
asks = st.lists(
    st.tuples(st.integers(0, SECOND), st.integers(0, 5 * SECOND), st.integers(1, 5)), max_size=50
)


def reserve(table: Timetable, n: int, now: int, ahead: int = 0) -> int:
    moment = table.earliest(n, now + ahead)
    table.book(n, moment, now)
    return moment


@given(specs, asks)
def test_e41_no_span_sees_more_than_its_rate_and_the_burst(
    spec: RateSpec, steps: list[tuple[int, int, int]]
) -> None:
    table, now = Timetable(spec), 0
    moments: list[tuple[int, int]] = []
    for later, ahead, parts in steps:
        now += later
        moments.append((reserve(table, parts, now, ahead), parts))
    moments.sort()
    for first, (start, _) in enumerate(moments):
        within = 0
        for at, parts in moments[first:]:
            within += parts
            most = max(spec.burst, *(n for when, n in moments if start <= when <= at))
            worth = (at - start + 1) * spec.numerator / spec.denominator / SECOND
            assert within <= worth + most + 1e-6


@given(specs, asks)
def test_no_moment_is_passed_over(spec: RateSpec, steps: list[tuple[int, int, int]]) -> None:
    """Also where stretches taken lie scattered, the moment is the first of all."""
    table, now = Timetable(spec), 0
    for later, ahead, parts in steps:
        now += later
        moment = reserve(table, parts, now, ahead)
        assert moment >= now + ahead
        following = table.earliest(parts, now)
        for at in range(now, min(following, now + 20 * MS), MS):
            assert table.earliest(parts, at) == following


@given(specs, st.lists(st.integers(0, SECOND), min_size=1, max_size=30))
def test_in_order_it_is_the_leaky_bucket(spec: RateSpec, pauses: list[int]) -> None:
    table, now, until = Timetable(spec), 0, 0
    price = spec.denominator * SECOND
    for pause in pauses:
        now += pause
        until = max(until, now * spec.numerator) + price
        wanted = max(now, -(-(until - spec.burst * price) // spec.numerator))
        assert abs(reserve(table, 1, now) - wanted) <= 1  # whole ns
        assert len(table._starts) == 1


def test_the_burst_goes_at_once_and_the_rest_in_step() -> None:
    table = Timetable(rate(10, 1, 2))
    assert [reserve(table, 1, 0) for _ in range(5)] == [0, 0, 100 * MS, 200 * MS, 300 * MS]
    assert reserve(table, 5, 10 * SECOND) == 10 * SECOND  # larger than the burst, and empty
    assert reserve(table, 1, 10 * SECOND) == 10 * SECOND + 400 * MS


def test_a_pause_does_not_save_up_more_than_the_burst() -> None:
    table = Timetable(rate(10, 1, 2))
    reserve(table, 2, 0)
    assert [reserve(table, 1, 60 * SECOND) - 60 * SECOND for _ in range(3)] == [0, 0, 100 * MS]


def test_what_goes_late_takes_nothing_from_what_goes_now() -> None:
    table = Timetable(rate(10, 1, 1))
    assert reserve(table, 1, 0, ahead=10 * SECOND) == 10 * SECOND
    assert [reserve(table, 1, 0) for _ in range(3)] == [0, 100 * MS, 200 * MS]
    assert reserve(table, 1, 0, ahead=10 * SECOND) == 10 * SECOND + 100 * MS


def test_what_is_borrowed_is_paid_for_by_those_behind_up_to_a_second() -> None:
    table = Timetable(rate(10, 1, 1))
    table.borrow(3, 0)
    assert table.earliest(1, 0) == 300 * MS
    for _ in range(50):
        table.borrow(1, 0)
    assert table.earliest(1, 0) == 1100 * MS


def test_a_scattered_timetable_says_so_and_is_forgotten_as_time_goes_by(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(timetable, "STRETCHES_MAX", 3)
    table = Timetable(rate(10, 1, 1))
    for second in range(3):
        reserve(table, 1, 0, ahead=second * SECOND)
    assert (table.full, table.clear_ns) == (True, 2 * SECOND + 100 * MS)
    assert [table.queue(1, 5 * SECOND) for _ in range(2)] == [5 * SECOND, 5 * SECOND + 100 * MS]
    assert table.behind_ns == 5 * SECOND + 200 * MS
    reserve(table, 1, 4 * SECOND)
    assert not table.full


def test_a_rate_of_nothing_has_no_moments() -> None:
    with pytest.raises(ValueError, match="above 0"):
        Timetable(rate(0))


class Asked(Timetable):
    """Counts how often it is asked."""

    asked = 0

    def earliest(self, n: int, at_ns: int) -> int:
        self.asked += 1
        return super().earliest(n, at_ns)


def test_the_smallest_limit_leads_the_search() -> None:
    small, large = Asked(rate(1, 1, 1)), Asked(rate(100, 1, 100))
    small.book(1, 0, 0)
    assert first_moment([small, large], 1, 0) == (SECOND, 0)
    assert (small.asked, large.asked) == (1, 1)
    assert large._starts == []  # nothing is taken by asking


@given(st.lists(st.tuples(specs, asks), min_size=1, max_size=3), st.integers(1, 3))
def test_the_first_moment_suits_all_and_none_before_does(
    limits: list[tuple[RateSpec, list[tuple[int, int, int]]]], parts: int
) -> None:
    tables = [Timetable(spec) for spec, _ in limits]
    for table, (_, steps) in zip(tables, limits, strict=True):
        for later, ahead, n in steps:
            reserve(table, n, 0, later + ahead)
    moment, decided = first_moment(tables, parts, 0)
    assert all(table.earliest(parts, moment) == moment for table in tables)
    assert (decided is None) == (moment == 0)
    for at in range(0, min(moment, 200 * MS), MS):
        assert any(table.earliest(parts, at) > at for table in tables)
