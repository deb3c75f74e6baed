"""What suppresses a number, and for how long."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlr.hygiene.policy import repeated_since, until
from dlr.hygiene.proof import Kind

START = date(2026, 1, 1)


def on(*days: int) -> list[date]:
    return [START + timedelta(days=day) for day in days]


@pytest.mark.parametrize(
    ("days", "first"),
    [
        ((0, 7, 14), 0),
        ((0, 15, 30), 0),
        ((0, 3, 8, 20), 0),
        ((0, 16, 31), None),  # more than 30 days
        ((0, 6, 13), None),  # two of them lie less than a week apart
        ((0, 1, 2, 3, 4, 5), None),
        ((14,), None),
        ((), None),
    ],
)
def test_three_days_a_week_apart_within_30(days: tuple[int, ...], first: int | None) -> None:
    expected = None if first is None else on(first)[0]
    assert repeated_since(on(*days)) == expected


@given(st.sets(st.integers(0, 45), max_size=12))
def test_it_is_found_whenever_it_is_there(days: set[int]) -> None:
    last = max(days, default=0)
    there = any(
        last - second >= 7 and second - first >= 7 and last - first <= 30
        for second in days
        for first in days
    )
    assert (repeated_since(on(*days)) is not None) is (there and bool(days))


def test_a_proof_lasts_half_a_year_and_repetition_two_months() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert until(Kind.PRUNE, now) - now == timedelta(days=180)
    assert until(Kind.AMBIGUOUS, now) - now == timedelta(days=60)
