"""A figure that grows is found, one that only shakes is not, and outliers bend neither."""

from __future__ import annotations

import random

import pytest

from benchmarks.trend import POINTS_MIN, trend

COUNT = 120


def points(slope: float, *, noise: float = 1.0, seed: int = 1) -> list[tuple[float, float]]:
    chance = random.Random(seed)
    return [(10.0 * n, 100.0 + slope * n + chance.gauss(0, noise)) for n in range(COUNT)]


def test_what_grows_is_found_with_how_much() -> None:
    found = trend(points(0.05))
    assert found is not None
    assert found.low > 0
    assert found.low <= 0.05 * (COUNT - 1) <= found.high


def test_the_interval_holds_what_is_true_nearly_always() -> None:
    held = 0
    for seed in range(100):
        found = trend(points(0.0, seed=seed))
        assert found is not None
        held += found.low <= 0 <= found.high
    assert held >= 90


@pytest.mark.parametrize("slope", [0.0, 0.05])
def test_a_few_wild_points_change_little(slope: float) -> None:
    plain = points(slope)
    wild = [(at, 5_000.0 if n % 12 == 0 else figure) for n, (at, figure) in enumerate(plain)]
    before, after = trend(plain), trend(wild)
    assert before is not None
    assert after is not None
    assert abs(after.growth - before.growth) < 1.0


def test_in_which_order_points_come_says_nothing() -> None:
    plain = points(0.05)
    assert trend(plain[::-1]) == trend(plain)


def test_a_figure_that_stands_still_has_no_growth() -> None:
    found = trend([(float(n), 7.0) for n in range(COUNT)])
    assert found is not None
    assert (found.growth, found.low, found.high, found.level) == (0, 0, 0, 7)


def test_of_too_few_points_nothing_is_said() -> None:
    assert trend(points(1.0)[: POINTS_MIN - 1]) is None
    assert trend([(1.0, float(n)) for n in range(COUNT)]) is None
