"""How unlikely a count or a share is where nothing has changed.

Owns the tests: two shares, counts that scatter, counts that do not, and silence. Owns the level
that suits the number of tests. Must not know what is counted (detectors.py). Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import exp, lgamma, log, log1p, sqrt
from statistics import NormalDist
from typing import Final

import msgspec

DETECTORS: Final = 6
WINDOWS_A_WEEK: Final = 672  # of a quarter of an hour
KEYS_MAX: Final = 200  # the busiest ones are looked at
TERMS_MAX: Final = 100_000  # of a sum; what is left by then is nothing
_NEGLIGIBLE: Final = 1e-18

_NORMAL = NormalDist()


class Share(msgspec.Struct, frozen=True, gc=False):
    """`part` of `whole`, both counts."""

    part: int
    whole: int

    @property
    def value(self) -> float:
        """Between 0 and 1; 0 of nothing."""
        return self.part / self.whole if self.whole else 0.0

    def __add__(self, other: Share) -> Share:
        return Share(self.part + other.part, self.whole + other.whole)


def total(shares: Iterable[Share]) -> Share:
    """All of them together."""
    return sum(shares, Share(0, 0))


def level_of(keys: int) -> float:
    """The probability below which a test alarms, so that one false alarm a week is to be expected.

    `keys`: how many are looked at, at least 1.
    """
    return 1 / (max(keys, 1) * DETECTORS * WINDOWS_A_WEEK)


def limit_of(level: float) -> float:
    """The z that is passed with this probability. `level` between 0 and 0.5."""
    return -_NORMAL.inv_cdf(level)


def z_of_shares(high: Share, low: Share, spread: float) -> float:
    """By how many standard errors `high` lies above `low`. `spread`: the overdispersion, 1 or more.

    0 where nothing can be said: an empty side, or both all or nothing.
    """
    if not high.whole or not low.whole:
        return 0.0
    pooled = (high + low).value
    variance = spread * pooled * (1 - pooled) * (1 / high.whole + 1 / low.whole)
    return (high.value - low.value) / sqrt(variance) if variance > 0 else 0.0


class Spread(msgspec.Struct, frozen=True, gc=False):
    """The sums over all windows of a key from which its overdispersion is found."""

    windows: int
    part: int
    whole: int
    squares: float  # of each window, part * part / whole

    @property
    def factor(self) -> float:
        """Pearson's statistic over its degrees of freedom, never below 1.

        1 means that windows differ by chance alone. Sums stand in for the windows themselves, so a
        month of them is one row.
        """
        if self.windows < 2 or not 0 < self.part < self.whole:
            return 1.0
        share = self.part / self.whole
        pearson = (self.squares - self.part * share) / (share * (1 - share))
        return max(1.0, pearson / (self.windows - 1))


def spread_of(windows: Iterable[Share]) -> Spread:
    """The sums of these windows; an empty one says nothing."""
    full = [each for each in windows if each.whole]
    whole = total(full)
    squares = sum(each.part * each.part / each.whole for each in full)
    return Spread(len(full), whole.part, whole.whole, squares)


def poisson_tail(count: int, mean: float) -> float:
    """The probability of `count` or more where `mean` is usual."""
    if count <= 0:
        return 1.0
    if mean <= 0:
        return 0.0
    return _tail(
        count,
        exp(count * log(mean) - mean - lgamma(count + 1)),
        lambda at: mean / (at + 1),
        mean,
    )


def scattered_tail(count: int, mean: float, variance: float) -> float:
    """As poisson_tail, of counts whose variance is above their mean: the negative binomial."""
    if variance <= mean or mean <= 0:
        return poisson_tail(count, mean)
    if count <= 0:
        return 1.0
    size = mean * mean / (variance - mean)
    success = mean / variance
    first = exp(
        lgamma(count + size)
        - lgamma(size)
        - lgamma(count + 1)
        + size * log(success)
        + count * log1p(-success)
    )
    return _tail(count, first, lambda at: (at + size) / (at + 1) * (1 - success), mean)


def silence_tail(sent: int, answered_share: float) -> float:
    """The probability that none of `sent` is answered where this share usually is by then."""
    return float((1 - min(max(answered_share, 0.0), 1.0)) ** sent)


def _tail(count: int, first: float, ratio: Callable[[int], float], mean: float) -> float:
    """The sum of terms from `count` on: the first, and what each next one is of the one before."""
    sum_, term, at = 0.0, first, count
    for _ in range(TERMS_MAX):
        sum_ += term
        if at > mean and term < _NEGLIGIBLE * max(sum_, _NEGLIGIBLE):
            break
        term *= ratio(at)
        at += 1
    return min(sum_, 1.0)
