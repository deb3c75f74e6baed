"""A test that may be looked at as often as one likes.

Owns the mixture sequential probability ratio test of two shares, and what several looks add up to.
Must not decide what follows (winner.py). Pure.

A usual test that is read again and again alarms by chance sooner or later. This one does so with
at most `alpha`, however often it is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, inf, log, sqrt

import msgspec

from campaigns.experiments.intervals import Bounded
from campaigns.experiments.power import level_each
from dlr.anomalies.significance import Share

SUCCESSES_MIN = 20
"""Fewer successes or failures of an arm say too little of its variance to test with."""


class Look(msgspec.Struct, frozen=True):
    """One look at two arms. `log_ratio` is the natural logarithm of the likelihood ratio."""

    difference: float
    log_ratio: float
    low: float
    high: float

    @property
    def p(self) -> float:
        """What this look says by itself; that of several looks is the smallest."""
        return p_of(self.log_ratio)

    @property
    def bounds(self) -> Bounded:
        """The difference within bounds that hold at every look together."""
        return Bounded(self.difference, self.low, self.high)


def p_of(log_ratio: float) -> float:
    """The probability that chance alone ever shows so much; at most 1."""
    return min(1.0, exp(-log_ratio))


def look(one: Share, other: Share, tau: float, alpha: float) -> Look:
    """one - other. `tau`: the smallest difference of interest, above 0, fixed before the start.

    Where both are all or nothing the variance is unknown: nothing is shown, within any bounds.
    """
    p, q = one.value, other.value
    variance = (
        p * (1 - p) / one.whole + q * (1 - q) / other.whole if one.whole and other.whole else 0.0
    )
    if variance <= 0:
        return Look(p - q, -inf, -1.0, 1.0)
    square, together = tau * tau, variance + tau * tau
    log_ratio = 0.5 * log(variance / together) + square * (p - q) ** 2 / (2 * variance * together)
    reach = sqrt(variance * together / square * (2 * log(1 / alpha) + log(together / variance)))
    return Look(p - q, log_ratio, p - q - reach, p - q + reach)


class Evidence(msgspec.Struct, frozen=True):
    """What all looks so far say of each arm against each other.

    `best[a][b]`: the largest logarithm of a likelihood ratio at a look where `a` was above `b`.
    """

    best: tuple[tuple[float, ...], ...]

    @classmethod
    def none(cls, arms: int) -> Evidence:
        """Before the first look."""
        return cls(((-inf,) * arms,) * arms)

    def looked(self, arms: Sequence[Share], tau: float, alpha: float) -> Evidence:
        """With one look more. A pair with too few successes or failures is not looked at."""
        return Evidence(
            tuple(
                tuple(
                    max(best, look(one, other, tau, alpha).log_ratio)
                    if one.value > other.value and enough(one) and enough(other)
                    else best
                    for best, other in zip(row, arms, strict=True)
                )
                for row, one in zip(self.best, arms, strict=True)
            )
        )

    def p(self, one: int, other: int) -> float:
        """How likely chance alone ever shows arm `one` so far above arm `other`."""
        return p_of(self.best[one][other])

    def winner(self, alpha: float) -> int | None:
        """The arm that is above each other one with p at most alpha / (arms - 1), if there is one.

        `alpha` is that of the whole experiment. Two arms that beat one another at different looks
        are both no winner.
        """
        level = level_each(alpha, len(self.best))
        for arm in range(len(self.best)):
            others = [other for other in range(len(self.best)) if other != arm]
            if all(self.p(arm, other) <= level < self.p(other, arm) for other in others):
                return arm
        return None


def enough(share: Share) -> bool:
    """Whether it has the successes and failures to test with."""
    return min(share.part, share.whole - share.part) >= SUCCESSES_MIN
