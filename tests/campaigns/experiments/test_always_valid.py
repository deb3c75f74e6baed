"""The likelihood ratio, and what looks add up to."""

from __future__ import annotations

from math import exp, inf
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.experiments.always_valid import Evidence, look
from dlr.anomalies.significance import Share, z_of_shares

TAU, ALPHA = 0.005, 0.05


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        (Share(135, 5_000), Share(100, 5_000), (3.6549, 0.2736, -0.00257, 0.01657)),
        (Share(260, 10_000), Share(200, 10_000), (11.6530, 0.0858, -0.00046, 0.01246)),
        (Share(273, 10_000), Share(200, 10_000), (51.6162, 0.0194, 0.00075, 0.01385)),
    ],
)
def test_one_look(one: Share, other: Share, wanted: tuple[float, ...]) -> None:
    found = look(one, other, TAU, ALPHA)
    assert exp(found.log_ratio) == pytest.approx(wanted[0], abs=5e-5)
    assert found.p == pytest.approx(wanted[1], abs=5e-5)
    assert (found.low, found.high) == pytest.approx(wanted[2:], abs=5e-6)


@pytest.mark.parametrize(
    ("one", "other", "p"),
    [
        (Share(135, 5_000), Share(100, 5_000), 0.0209),
        (Share(260, 10_000), Share(200, 10_000), 0.0047),
        (Share(273, 10_000), Share(200, 10_000), 0.0007),
    ],
)
def test_the_usual_test_says_more_of_the_same(one: Share, other: Share, p: float) -> None:
    normal = NormalDist()
    assert 2 * (1 - normal.cdf(z_of_shares(one, other, 1.0))) == pytest.approx(p, abs=5e-5)
    assert look(one, other, TAU, ALPHA).p > p


shares = st.integers(50, 100_000).flatmap(
    lambda whole: st.integers(1, whole - 1).map(lambda part: Share(part, whole))
)


@given(shares, shares)
def test_the_interval_leaves_out_zero_where_p_is_below_alpha(one: Share, other: Share) -> None:
    found = look(one, other, TAU, ALPHA)
    assert found.low <= found.difference <= found.high
    if abs(found.p - ALPHA) > 1e-9:
        assert (found.p < ALPHA) == (found.low > 0 or found.high < 0)


@pytest.mark.parametrize(
    ("one", "other"),
    [(Share(0, 0), Share(5, 10)), (Share(0, 9), Share(0, 9)), (Share(9, 9), Share(0, 9))],
)
def test_without_a_variance_nothing_is_shown(one: Share, other: Share) -> None:
    found = look(one, other, TAU, ALPHA)
    assert (found.log_ratio, found.p, found.low, found.high) == (-inf, 1.0, -1.0, 1.0)


def evidence(*looks: tuple[Share, ...]) -> Evidence:
    found = Evidence.none(len(looks[0]))
    for each in looks:
        found = found.looked(each, TAU, ALPHA)
    return found


GOOD, BAD = Share(273, 10_000), Share(200, 10_000)


def test_p_is_the_smallest_of_all_looks() -> None:
    found = evidence((GOOD, BAD), (BAD, BAD), (Share(210, 10_000), BAD))
    assert found.p(0, 1) == pytest.approx(0.0194, abs=5e-5)
    assert found.p(1, 0) == 1.0
    assert found.winner(ALPHA) == 0


def test_a_winner_beats_every_other_arm_at_its_share_of_alpha() -> None:
    assert evidence((GOOD, BAD, BAD)).winner(ALPHA) == 0  # 0.0194 <= 0.025
    assert evidence((GOOD, BAD, BAD, BAD)).winner(ALPHA) is None  # > 0.0167
    assert evidence((BAD, GOOD, GOOD)).winner(ALPHA) is None


def test_arms_that_beat_one_another_are_no_winners() -> None:
    assert evidence((GOOD, BAD), (BAD, GOOD)).winner(ALPHA) is None


def test_a_few_successes_are_not_looked_at() -> None:
    assert evidence((Share(900, 10_000), Share(19, 10_000))).winner(ALPHA) is None
    assert evidence((Share(900, 10_000), Share(20, 10_000))).winner(ALPHA) == 0
