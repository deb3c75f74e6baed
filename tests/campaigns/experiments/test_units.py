"""Only who has had the time to react is counted."""

from __future__ import annotations

import pytest

from campaigns.experiments.units import Unit, matured

HOUR = 3_600_000


@pytest.mark.parametrize(
    ("unit", "wanted"),
    [
        (Unit(0), (0, 1)),
        (Unit(0, HOUR), (1, 1)),
        (Unit(0, 24 * HOUR), (0, 1)),  # the window is over
        (Unit(0, 24 * HOUR - 1), (1, 1)),
        (Unit(1), (0, 0)),  # one millisecond is left
        (Unit(1, 2), (0, 0)),  # also of who has clicked at once
    ],
)
def test_an_outcome_counts_within_its_window_once_that_is_over(
    unit: Unit, wanted: tuple[int, int]
) -> None:
    found = matured([unit], 24 * HOUR, 24 * HOUR)
    assert (found.part, found.whole) == wanted


def test_units_add_up() -> None:
    units = [Unit(0, 5), Unit(0), Unit(10, 12), Unit(90)]
    found = matured(units, 20, 50)
    assert (found.part, found.whole) == (2, 3)
