"""Whether the arms are as large as they were meant to be.

Owns the chi-square test of counts against weights. Must not stop anything (winner.py). Pure.

Arms of another size than planned mean that people were lost, and not by chance. Then no
comparison of the arms can be trusted.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import erfc, exp, gamma, sqrt
from typing import Final

import msgspec

LEVEL: Final = 0.001
"""Below this probability no decision is made."""


class SampleRatio(msgspec.Struct, frozen=True):
    """The statistic, and how likely chance alone gives as much."""

    chi_square: float
    p: float

    @property
    def off(self) -> bool:
        """Whether chance is no explanation."""
        return self.p < LEVEL


def sample_ratio(counts: Sequence[int], weights: Sequence[int]) -> SampleRatio:
    """Of two or more arms; an arm without weight is left out. Nothing counted is as planned.

    Raises ValueError for counts and weights of different numbers.
    """
    pairs = [pair for pair in zip(counts, weights, strict=True) if pair[1]]
    total, whole = sum(count for count, _ in pairs), sum(weight for _, weight in pairs)
    if not total or len(pairs) < 2:
        return SampleRatio(0.0, 1.0)
    expected = [total * weight / whole for _, weight in pairs]
    chi_square = sum(
        (count - meant) ** 2 / meant for (count, _), meant in zip(pairs, expected, strict=True)
    )
    return SampleRatio(chi_square, chi_square_tail(chi_square, len(pairs) - 1))


def chi_square_tail(statistic: float, freedom: int) -> float:
    """The probability of `statistic` or more. `freedom`: degrees of it, 1 or more."""
    half = statistic / 2
    degree, tail = (0.5, erfc(sqrt(half))) if freedom % 2 else (1.0, exp(-half))
    while degree < freedom / 2:
        tail += half**degree * exp(-half) / gamma(degree + 1)
        degree += 1
    return min(tail, 1.0)
