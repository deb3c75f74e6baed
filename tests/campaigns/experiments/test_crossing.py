"""The integration agrees with what chance does, at any moments and with any drift."""

from __future__ import annotations

from math import inf, sqrt
from random import Random
from statistics import NormalDist

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from campaigns.experiments.crossing import Moment, crossed, limit_for

RUNS = 40_000
UNEVEN = [Moment(0.3, 2.5), Moment(0.31, 2.4), Moment(0.85, 2.2), Moment(1.3, 1.9)]


def by_chance(moments: list[Moment], drift: float, random: Random) -> list[float]:
    """How many walks have passed a limit by each moment."""
    passed = [0] * len(moments)
    for _ in range(RUNS):
        at, before, out = 0.0, 0.0, False
        for place, each in enumerate(moments):
            more = each.information - before
            at, before = at + random.gauss(drift * more, sqrt(more)), each.information
            out = out or abs(at) >= each.limit * sqrt(each.information)
            passed[place] += out
    return [each / RUNS for each in passed]


@pytest.mark.parametrize("drift", [0.0, 2.0, -2.0])
def test_it_is_what_chance_does(drift: float) -> None:
    found = crossed(UNEVEN, drift)
    for share, wanted in zip(by_chance(UNEVEN, drift, Random(18)), found, strict=True):
        assert share == pytest.approx(wanted, abs=4 * sqrt(wanted * (1 - wanted) / RUNS))


def test_one_moment_is_the_usual_test() -> None:
    normal = NormalDist()
    for limit in (0.7, 1.96, 4.5, 9.0):
        [found] = crossed([Moment(0.2, limit)])
        assert found == pytest.approx(2 * normal.cdf(-limit), rel=1e-6)


def test_a_moment_without_a_limit_changes_nothing() -> None:
    open_one = [UNEVEN[0], Moment(0.5, inf), *UNEVEN[2:]]
    assert crossed(open_one)[-1] == pytest.approx(crossed([UNEVEN[0], *UNEVEN[2:]])[-1], abs=1e-4)
    assert crossed(open_one)[1] == crossed(open_one)[0]


moments = st.lists(
    st.tuples(st.floats(0.01, 1.0), st.floats(0.5, 8.0)), min_size=0, max_size=4
).map(
    lambda pairs: [
        Moment(sum(step for step, _ in pairs[: place + 1]), limit)
        for place, (_, limit) in enumerate(pairs)
    ]
)


@settings(max_examples=30, deadline=None)
@given(moments, st.floats(0.01, 1.0), st.floats(1e-3, 0.05))
@example([Moment(1.0, 1.0), Moment(1.015625, 1.0)], 1.0, 0.001953125)
def test_a_limit_spends_exactly_what_it_may(
    before: list[Moment], more: float, probability: float
) -> None:
    already = crossed(before)[-1] if before else 0.0
    information = (before[-1].information if before else 0.0) + more
    limit = limit_for(before, information, probability)
    if 0 < limit < 30 and already + probability < 1:
        found = crossed([*before, Moment(information, limit)])
        spent = found[-1] - (found[-2] if before else 0.0)
        assert spent == pytest.approx(probability, rel=0.01, abs=1e-6)
    assert limit_for(before, information, 0.0) == inf
