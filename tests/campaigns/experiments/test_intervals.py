"""Bounds of a difference and of a ratio, against published and recomputed figures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.experiments.intervals import newcombe, ratio
from dlr.anomalies.significance import Share
from dlr.rates import wilson


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"), [(3, 30, 0.0346, 0.2562), (0, 30, 0, 0.1135)]
)
def test_wilson(part: int, whole: int, low: float, high: float) -> None:
    assert wilson(part, whole) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        (Share(56, 70), Share(48, 80), (0.2, 0.0524, 0.3339)),
        (Share(9, 10), Share(3, 10), (0.6, 0.1705, 0.8090)),
    ],
)
def test_newcombe(one: Share, other: Share, wanted: tuple[float, float, float]) -> None:
    found = newcombe(one, other)
    assert (found.value, found.low, found.high) == pytest.approx(wanted, abs=5e-5)
    assert found.above_zero
    assert newcombe(other, one).below_zero


shares = st.integers(1, 10_000).flatmap(
    lambda whole: st.integers(0, whole).map(lambda part: Share(part, whole))
)


@given(shares, shares)
def test_a_difference_turned_round_is_its_negative_and_lies_within_its_bounds(
    one: Share, other: Share
) -> None:
    found, turned = newcombe(one, other), newcombe(other, one)
    assert -1 - 1e-9 <= found.low <= found.value <= found.high <= 1 + 1e-9
    assert (turned.value, turned.low, turned.high) == pytest.approx(
        (-found.value, -found.high, -found.low)
    )


def test_nothing_has_no_interval() -> None:
    with pytest.raises(ValueError, match="not a share"):
        newcombe(Share(0, 0), Share(1, 2))
    assert ratio(Share(0, 10), Share(1, 2)) is None
    assert ratio(Share(1, 10), Share(0, 2)) is None
