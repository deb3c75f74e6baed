"""Arms of another size than planned are noticed, and arms of the planned one are not."""

from __future__ import annotations

import pytest

from campaigns.experiments.sample_ratio import chi_square_tail, sample_ratio


@pytest.mark.parametrize(
    ("counts", "chi_square", "p", "off"),
    [
        ([5_000, 5_200], 3.92, 0.0477, False),
        ([5_000, 5_400], 15.38, 8.8e-5, True),
    ],
)
def test_two_arms(counts: list[int], chi_square: float, p: float, off: bool) -> None:
    found = sample_ratio(counts, [1, 1])
    assert found.chi_square == pytest.approx(chi_square, abs=5e-3)
    assert found.p == pytest.approx(p, rel=5e-3)
    assert found.off is off


def test_c51_arms_of_one_to_three_that_were_to_be_alike_are_off() -> None:
    assert sample_ratio([1_500, 500], [50, 50]).off
    assert not sample_ratio([1_500, 500], [75, 25]).off


@pytest.mark.parametrize(
    ("statistic", "freedom", "p"),
    [  # tables of the chi-square distribution
        (3.841, 1, 0.05), (5.991, 2, 0.05), (7.815, 3, 0.05), (9.488, 4, 0.05),
        (10.828, 1, 0.001), (16.266, 3, 0.001), (30.144, 19, 0.05), (43.820, 19, 0.001),
        (0.0, 1, 1.0), (0.0, 4, 1.0),
    ],
)  # fmt: skip
def test_tails_are_those_of_the_tables(statistic: float, freedom: int, p: float) -> None:
    assert chi_square_tail(statistic, freedom) == pytest.approx(p, rel=2e-3)


def test_an_arm_without_weight_is_left_out_and_nothing_is_as_planned() -> None:
    assert sample_ratio([10, 0, 10], [1, 0, 1]).p == 1.0
    assert sample_ratio([0, 0], [1, 1]).p == 1.0
    assert sample_ratio([7], [1]).p == 1.0
    with pytest.raises(ValueError, match="zip"):
        sample_ratio([1, 2], [1])
