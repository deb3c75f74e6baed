"""Rates name their parts and know how sure they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlr.rates import delivery_rates, rate_of, reason_rate, wilson


@pytest.mark.parametrize(
    ("numerator", "denominator", "low", "high"),
    [
        (3, 30, 0.035, 0.256),  # published examples of the score interval
        (2, 30, 0.019, 0.213),
        (92, 100, 0.850, 0.959),
        (460, 500, 0.893, 0.941),
        (0, 10, 0.0, 0.278),
        (10, 10, 0.722, 1.0),
    ],
)
def test_wilson(numerator: int, denominator: int, low: float, high: float) -> None:
    assert wilson(numerator, denominator) == pytest.approx((low, high), abs=0.0006)


@given(st.integers(1, 10**7), st.data())
def test_the_bounds_enclose_the_value_and_mirror(denominator: int, data: st.DataObject) -> None:
    numerator = data.draw(st.integers(0, denominator))
    low, high = wilson(numerator, denominator)
    assert 0 <= low <= numerator / denominator <= high <= 1
    mirrored = wilson(denominator - numerator, denominator)
    assert (1 - mirrored[1], 1 - mirrored[0]) == pytest.approx((low, high), abs=1e-9)


@pytest.mark.parametrize(("numerator", "denominator"), [(1, 0), (-1, 5), (6, 5), (0, 0)])
def test_what_is_no_share(numerator: int, denominator: int) -> None:
    with pytest.raises(ValueError, match="not a share"):
        wilson(numerator, denominator)


def test_no_rate_is_not_a_rate_of_zero() -> None:
    assert rate_of(0, 0).value is None
    assert rate_of(0, 7).value == 0


def test_the_formulas() -> None:
    counts = {
        "accepted": 100,
        "sent": 80,
        "delivered": 60,
        "undelivered": 5,
        "expired": 3,
        "rejected": 2,
        "unknown": 4,
        "failed": 5,
        "suppressed": 7,
        "capped": 2,
        "canceled": 1,
        "unconfirmed": 1,
        "pending": 10,
    }
    shares = {
        name: (rate.numerator, rate.denominator) for name, rate in delivery_rates(counts).items()
    }
    assert shares == {
        "delivery_rate": (60, 80),
        "confirmed_rate": (60, 70),
        "failure_rate": (15, 90),
        "unknown_rate": (4, 80),
        "unconfirmed_rate": (1, 100),
        "suppressed_rate": (7, 100),
    }


def test_rates_of_nothing() -> None:
    assert all(rate.value is None for rate in delivery_rates({}).values())


def test_the_failure_rate_of_a_reason_is_of_all_that_was_meant_to_go_out() -> None:
    everything = {"accepted": 100, "suppressed": 5, "capped": 3, "canceled": 2, "undelivered": 9}
    rate = reason_rate({"accepted": 6, "undelivered": 6}, everything)
    assert (rate.numerator, rate.denominator) == (6, 90)
