"""O'Brien and Fleming's bounds keep their level; integrated, not simulated."""

from __future__ import annotations

from math import exp, pi, sqrt

import pytest

from campaigns.experiments.planned_looks import LOOKS_MAX, bounds, shown
from dlr.anomalies.significance import Share


def test_five_looks() -> None:
    assert bounds(5) == pytest.approx((4.562, 3.226, 2.634, 2.281, 2.040), abs=5e-4)


@pytest.mark.parametrize("looks", range(1, LOOKS_MAX + 1))
def test_all_looks_together_alarm_wrongly_in_five_of_a_hundred(looks: int) -> None:
    assert crossing(bounds(looks)) == pytest.approx(0.05, abs=2e-4)


def crossing(limits: tuple[float, ...], steps: int = 160) -> float:
    """The probability that a sum of normal steps ever passes limit * sqrt(number of steps)."""
    inside, points, weights = 1.0, [0.0], [1.0]
    for number, limit in enumerate(limits, 1):
        edge = limit * sqrt(number)
        width = 2 * edge / steps
        grid = [-edge + width * (place + 0.5) for place in range(steps)]
        weights = [
            width / sqrt(2 * pi) * sum(
                weight * exp(-((here - there) ** 2) / 2)
                for there, weight in zip(points, weights, strict=True)
            )
            for here in grid
        ]  # fmt: skip
        points, inside = grid, sum(weights)
    return 1 - inside


@pytest.mark.parametrize("looks", [0, 6])
def test_other_numbers_of_looks_have_no_bounds(looks: int) -> None:
    with pytest.raises(ValueError, match="between 1 and 5"):
        bounds(looks)


def test_what_the_last_look_shows_the_first_may_not() -> None:
    one, other = Share(260, 10_000), Share(200, 10_000)  # z is 2.83
    assert [shown(one, other, number, 5) for number in range(1, 6)] == [
        False, False, True, True, True,
    ]  # fmt: skip
    assert shown(other, one, 5, 5)
