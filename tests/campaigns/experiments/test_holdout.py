"""What a campaign brought beyond those who were held out."""

from __future__ import annotations

import pytest

from campaigns.experiments.holdout import lift
from dlr.anomalies.significance import Share


def test_lift_as_a_difference_as_people_and_as_a_ratio() -> None:
    found = lift(Share(630, 18_000), Share(50, 2_000))
    assert found is not None
    assert found.ratio is not None
    difference, extra, ratio = found.difference, found.extra, found.ratio
    assert (difference.value, difference.low, difference.high) == pytest.approx(
        (0.0100, 0.0018, 0.0166), abs=5e-5
    )
    assert (extra.value, extra.low, extra.high) == pytest.approx((180, 31.96, 298.84), abs=5e-3)
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((1.40, 1.05, 1.86), abs=5e-3)


def test_an_empty_side_lifts_nothing_and_no_conversion_has_no_ratio() -> None:
    assert lift(Share(0, 0), Share(1, 10)) is None
    assert lift(Share(1, 10), Share(0, 0)) is None
    found = lift(Share(1, 10), Share(0, 10))
    assert found is not None
    assert found.ratio is None
