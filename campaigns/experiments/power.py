"""How many recipients an arm needs before a difference can be shown.

Owns the arithmetic of sample sizes. Must not know a campaign. Pure.

`alpha` is the share of wrong alarms where nothing differs, on both sides together. `power` is the
share of differences that are found. Both lie between 0 and 1.
"""

from __future__ import annotations

from math import ceil, sqrt
from statistics import NormalDist
from typing import Final

ALPHA: Final = 0.05
POWER: Final = 0.8

_NORMAL = NormalDist()
_HALVINGS: Final = 60


def per_arm(base: float, other: float, alpha: float = ALPHA, power: float = POWER) -> int:
    """The matured recipients of each arm that show `base` against `other`, rounded up.

    Raises ValueError for equal rates: no number shows that, and for rates outside 0 to 1.
    """
    _check(base, other)
    if base == other:
        raise ValueError("equal rates differ in no sample")
    at_chance, at_difference = _errors(base, other)
    reach = _limit(alpha) * at_chance + _NORMAL.inv_cdf(power) * at_difference
    return ceil((reach / (base - other)) ** 2)


def power_of(base: float, other: float, size: int, alpha: float = ALPHA) -> float:
    """The probability that `size` recipients an arm show this difference. `size` above 0."""
    _check(base, other)
    at_chance, at_difference = _errors(base, other)
    found = (abs(base - other) * sqrt(size) - _limit(alpha) * at_chance) / at_difference
    return _NORMAL.cdf(found)


def smallest_shown(
    base: float, size: int, alpha: float = ALPHA, power: float = POWER
) -> float | None:
    """The smallest rate above `base` that `size` recipients an arm show with this power.

    None: not even a rate of 1 would be.
    """
    low, high = base, 1 - 1e-9
    if power_of(base, high, size, alpha) < power:
        return None
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if power_of(base, middle, size, alpha) < power:
            low = middle
        else:
            high = middle
    return high


def level_each(alpha: float, arms: int) -> float:
    """What a winner's comparison with each other arm is held to, so that all together hold alpha.

    `arms`: 2 or more.
    """
    return alpha / (arms - 1)


def _check(base: float, other: float) -> None:
    if not (0 < base < 1 and 0 < other < 1):
        raise ValueError(f"{base} and {other} do not lie between 0 and 1")


def _errors(base: float, other: float) -> tuple[float, float]:
    """The standard errors of one recipient an arm: where nothing differs, and as they are."""
    mean = (base + other) / 2
    return sqrt(2 * mean * (1 - mean)), sqrt(base * (1 - base) + other * (1 - other))


def _limit(alpha: float) -> float:
    return _NORMAL.inv_cdf(1 - alpha / 2)
