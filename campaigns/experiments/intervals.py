"""How far apart two shares are, and between which bounds.

Owns Newcombe's interval of a difference, and that of a ratio. Must not decide (winner.py), nor
look more than once: these bounds hold for one look (always_valid.py). Pure.
"""

from __future__ import annotations

from math import exp, sqrt

import msgspec

from dlr.anomalies.significance import Share
from dlr.rates import Z_95, wilson


class Bounded(msgspec.Struct, frozen=True):
    """A figure within its 95 % bounds."""

    value: float
    low: float
    high: float

    @property
    def above_zero(self) -> bool:
        """Whether the whole interval is."""
        return self.low > 0

    @property
    def below_zero(self) -> bool:
        """Whether the whole interval is."""
        return self.high < 0


def newcombe(one: Share, other: Share) -> Bounded:
    """one - other, from their Wilson intervals. Raises ValueError for a share of nothing."""
    (one_low, one_high) = wilson(one.part, one.whole)
    (other_low, other_high) = wilson(other.part, other.whole)
    p, q = one.value, other.value
    return Bounded(
        p - q,
        p - q - sqrt((p - one_low) ** 2 + (other_high - q) ** 2),
        p - q + sqrt((one_high - p) ** 2 + (q - other_low) ** 2),
    )


def ratio(one: Share, other: Share) -> Bounded | None:
    """one / other, normal on the logarithm. None while either has no success: no bounds then."""
    if not one.part or not other.part:
        return None
    error = sqrt(1 / one.part - 1 / one.whole + 1 / other.part - 1 / other.whole)
    value = one.value / other.value
    return Bounded(value, value * exp(-Z_95 * error), value * exp(Z_95 * error))
