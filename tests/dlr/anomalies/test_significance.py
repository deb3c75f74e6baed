"""Tests of shares and counts against worked figures, and against their own definitions."""

from __future__ import annotations

from math import comb, exp, factorial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlr.anomalies.significance import (
    Share,
    level_of,
    limit_of,
    poisson_tail,
    scattered_tail,
    silence_tail,
    spread_of,
    z_of_shares,
)

LEVEL = level_of(200)


def test_the_level_is_one_false_alarm_a_week() -> None:
    assert pytest.approx(1.24e-6, rel=0.001) == LEVEL
    assert limit_of(LEVEL) == pytest.approx(4.71, abs=0.005)
    assert level_of(10) == 20 * LEVEL
    assert level_of(0) == level_of(1)


@pytest.mark.parametrize(
    ("now", "usual", "spread", "z"),
    [
        (Share(920, 1000), Share(6658, 7000), 1, 4.121),
        (Share(920, 1000), Share(6658, 7000), 3, 2.379),
        (Share(880, 1000), Share(6658, 7000), 3, 5.209),
        (Share(870, 1000), Share(6650, 7000), 14.737, 2.596),
    ],
)
def test_a_share_that_falls(now: Share, usual: Share, spread: float, z: float) -> None:
    assert z_of_shares(usual, now, spread) == pytest.approx(z, abs=0.0006)


def test_a_share_that_rises() -> None:
    assert z_of_shares(Share(40, 1000), Share(70, 7000), 3) == pytest.approx(4.400, abs=0.0006)


@pytest.mark.parametrize("usual", [Share(0, 0), Share(0, 100), Share(100, 100)])
def test_where_nothing_can_be_said_nothing_is(usual: Share) -> None:
    assert z_of_shares(Share(usual.whole, usual.whole) if usual.part else usual, usual, 1) == 0


@pytest.mark.parametrize(
    ("mean", "variance", "first"), [(104.286, 270.238, 198), (104.286, 104.286, 157)]
)
def test_a_surge_begins_at(mean: float, variance: float, first: int) -> None:
    assert (
        scattered_tail(first, mean, variance) <= LEVEL < scattered_tail(first - 1, mean, variance)
    )


@pytest.mark.parametrize(("usual", "first"), [(0.5, 7), (1, 9), (2, 13), (5, 20)])
def test_complaints_cluster_from(usual: float, first: int) -> None:
    assert poisson_tail(first, usual) <= LEVEL < poisson_tail(first - 1, usual)


def test_silence() -> None:
    assert silence_tail(20, 0.5) == pytest.approx(9.5e-7, rel=0.01)
    assert silence_tail(200, 0.05) == pytest.approx(3.5e-5, rel=0.01)


@given(st.floats(0.1, 30), st.integers(0, 60))
def test_poisson_is_what_is_left_of_its_terms(mean: float, count: int) -> None:
    below = sum(exp(-mean) * mean**at / factorial(at) for at in range(count))
    assert poisson_tail(count, mean) == pytest.approx(1 - below, abs=1e-9)


@given(st.integers(1, 20), st.floats(0.1, 0.9), st.integers(0, 80))
def test_scattered_is_what_is_left_of_its_terms(size: int, success: float, count: int) -> None:
    mean = size * (1 - success) / success
    below = sum(
        comb(at + size - 1, at) * success**size * (1 - success) ** at for at in range(count)
    )
    assert scattered_tail(count, mean, mean / success) == pytest.approx(1 - below, abs=1e-9)


def test_counts_that_do_not_scatter_are_poissons() -> None:
    assert scattered_tail(10, 4, 3) == poisson_tail(10, 4)
    assert (poisson_tail(1, 0), poisson_tail(0, 0)) == (0, 1)


@given(st.lists(st.tuples(st.integers(1, 500), st.floats(0, 1)), min_size=2, max_size=40))
def test_the_spread_is_pearsons(windows: list[tuple[int, float]]) -> None:
    shares = [Share(round(whole * share), whole) for whole, share in windows]
    part, whole = sum(each.part for each in shares), sum(each.whole for each in shares)
    mean = part / whole
    if not 0 < part < whole:
        assert spread_of(shares).factor == 1
        return
    pearson = sum(
        (each.part - each.whole * mean) ** 2 / (each.whole * mean * (1 - mean)) for each in shares
    )
    expected = max(1.0, pearson / (len(shares) - 1))
    assert spread_of(shares).factor == pytest.approx(expected, rel=1e-6, abs=1e-6)
