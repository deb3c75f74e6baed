"""Sample sizes, and what a size can show."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.experiments.power import level_each, per_arm, power_of, smallest_shown


@pytest.mark.parametrize(
    ("base", "other", "alpha", "wanted"),
    [
        (0.02, 0.025, 0.05, 13_809),
        (0.02, 0.03, 0.05, 3_826),
        (0.02, 0.03, 0.05 / 3, 5_103),
        (0.05, 0.06, 0.05, 8_158),
        (0.06, 0.12, 0.05, 356),
    ],
)
def test_recipients_of_an_arm(base: float, other: float, alpha: float, wanted: int) -> None:
    assert per_arm(base, other, alpha) == wanted
    assert per_arm(other, base, alpha) == wanted


def test_k_arms_share_the_level() -> None:
    assert per_arm(0.02, 0.03, level_each(0.05, 4)) == 5_103
    assert level_each(0.05, 2) == 0.05


rates = st.floats(0.001, 0.999)


@given(rates, rates)
def test_the_size_has_the_power_and_one_less_has_not(base: float, other: float) -> None:
    if abs(base - other) < 1e-3:
        return
    size = per_arm(base, other)
    assert power_of(base, other, size) >= 0.8 - 1e-9
    assert size == 1 or power_of(base, other, size - 1) < 0.8


@given(st.floats(0.001, 0.5), st.integers(50, 10**6))
def test_the_smallest_rate_shown_needs_that_size(base: float, size: int) -> None:
    found = smallest_shown(base, size)
    assert found is not None
    assert found > base
    assert power_of(base, found, size) == pytest.approx(0.8, abs=1e-4)


def test_c56_thirty_people_show_hardly_anything() -> None:
    """Of 10 %: chance alone is likelier to hide twice as much than to let it be seen."""
    found = smallest_shown(0.1, 15)
    assert found is not None
    assert found > 0.5
    assert power_of(0.1, 0.2, 15) < 0.2
    assert smallest_shown(0.9, 2) is None


@pytest.mark.parametrize(("base", "other"), [(0.0, 0.1), (0.1, 1.0), (0.1, -0.1), (0.1, 0.1)])
def test_what_no_size_shows_is_refused(base: float, other: float) -> None:
    with pytest.raises(ValueError, match=r"between 0 and 1|no sample"):
        per_arm(base, other)
