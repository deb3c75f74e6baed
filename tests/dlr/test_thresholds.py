"""A threshold is a test: small samples show nothing, and chance is no fault (G17)."""

from __future__ import annotations

import pytest
from msgspec import UNSET

from dlr.rates import delivery_rates, rate_of
from dlr.thresholds import Threshold, Verdict, thresholds_of

FLOOR = Threshold(0.95, 200)
CEILING = Threshold(0.02, 500, ceiling=True)


@pytest.mark.parametrize(
    ("threshold", "numerator", "denominator", "low", "high", "verdict"),
    [
        (FLOOR, 460, 500, 0.892894, 0.940702, "below"),
        (FLOOR, 184, 200, 0.874011, 0.950159, "not_significantly_below"),
        (FLOOR, 92, 100, 0.850019, 0.958907, "too_few"),
        (CEILING, 15, 500, 0.018263, 0.048904, "not_significantly_above"),
        (CEILING, 22, 1000, 0.014573, 0.033086, "not_significantly_above"),
        (CEILING, 30, 1000, 0.021094, 0.042503, "above"),
    ],
)
def test_g17_a_verdict_needs_a_sample_and_a_bound_beyond_the_limit(
    threshold: Threshold, numerator: int, denominator: int, low: float, high: float, verdict: str
) -> None:
    rate = rate_of(numerator, denominator, threshold)
    assert (rate.low, rate.high) == pytest.approx((low, high), abs=5e-7)
    assert rate.verdict == verdict


def test_g17_one_failure_of_three_is_no_verdict() -> None:
    assert rate_of(2, 3, FLOOR).verdict is Verdict.TOO_FEW
    assert rate_of(0, 0, FLOOR).verdict is Verdict.TOO_FEW
    assert rate_of(190, 199, FLOOR).verdict is Verdict.TOO_FEW


def test_a_rate_without_a_threshold_has_no_verdict() -> None:
    rates = delivery_rates({"accepted": 500, "sent": 500, "delivered": 460}, thresholds_of())
    assert rates["delivery_rate"].verdict is Verdict.BELOW
    assert rates["failure_rate"].verdict is UNSET


def test_thresholds_are_settings() -> None:
    found = thresholds_of(delivery_min=0.9, delivery_samples_min=10, unsubscribe_max=0.5)
    assert rate_of(460, 500, found["delivery_rate"]).verdict is Verdict.NOT_BELOW
    assert rate_of(5, 11, found["confirmed_rate"]).verdict is Verdict.BELOW
    assert found["unsubscribe_rate_sent"].limit == 0.5
