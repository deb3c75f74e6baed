"""A test with a few looks that are planned beforehand: O'Brien and Fleming's bounds.

Owns the bounds, also of a look that came late, and what looks show together. Must not plan when to
look. Pure.

Early looks ask for much, so that the last one asks for hardly more than a single test. Each look
may spend a part of the wrong alarms that are allowed, and the parts are fixed by the plan. A look
that finds other people than were planned spends its part all the same. Its bound is then made of
what the looks up to it really found. A look that was missed leaves its part to the next one. That
is sound as long as nobody chooses the moment by the outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import inf, log, sqrt
from statistics import NormalDist
from typing import Final

import msgspec

from campaigns.experiments.always_valid import enough
from campaigns.experiments.crossing import Moment, crossed, limit_for
from campaigns.experiments.power import ALPHA, POWER
from dlr.anomalies.significance import Share, z_of_shares

LOOKS_MAX: Final = 5
_DESIGNS_KEPT: Final = 128
_STEPS_MAX: Final = 30
_EXACT: Final = 1e-6

_NORMAL = NormalDist()


class Taken(msgspec.Struct, frozen=True):
    """A look that was taken: its number, from 1, how much it found, and its bound.

    `information`: people judged, as a share of those planned for the last look.
    """

    number: int
    information: float
    bound: float


@lru_cache(_DESIGNS_KEPT)
def bounds(looks: int, level: float = ALPHA) -> tuple[float, ...]:
    """What |z| has to reach at each look, evenly spaced. `looks`: 1 to 5.

    `level`: how often equal arms pass any of them, above 0 and below 1. Raises ValueError for
    another number of looks.
    """
    if not 1 <= looks <= LOOKS_MAX:
        raise ValueError(f"{looks} looks are not between 1 and {LOOKS_MAX}")
    single = _NORMAL.inv_cdf(1 - level / 2)
    if looks == 1:
        return (single,)

    def missed(last: float) -> float:
        return log(crossed(_moments(looks, last))[-1] / level)

    return tuple(each.limit for each in _moments(looks, _root(missed, single, 1.05 * single)))


@lru_cache(_DESIGNS_KEPT)
def spent(looks: int, level: float) -> tuple[float, ...]:
    """How often equal arms pass a bound by each look, as planned; the last is about `level`."""
    return crossed(_moments(looks, bounds(looks, level)[-1]))


def bound(
    looks: int, level: float, before: Sequence[Taken], number: int, information: float
) -> float:
    """What |z| has to reach at look `number`, which found this much. Infinite where nothing is.

    As planned where every look found what was planned. `before`: the looks that were taken.
    """
    if information <= 0:
        return inf
    parts = spent(looks, level)
    already = parts[before[-1].number - 1] if before else 0.0
    moments = [Moment(each.information, each.bound) for each in before]
    known = max(information, moments[-1].information) if moments else information
    return limit_for(moments, known, parts[number - 1] - already)


@lru_cache(_DESIGNS_KEPT)
def inflation(looks: int, level: float, power: float = POWER) -> float:
    """How many times the people of a single test the last look needs for this power: 1 or more."""
    single = _NORMAL.inv_cdf(1 - level / 2) + _NORMAL.inv_cdf(power)
    if looks == 1:
        return 1.0
    moments = _moments(looks, bounds(looks, level)[-1])

    def missed(drift: float) -> float:
        return crossed(moments, drift)[-1] - power

    return max(1.0, float((_root(missed, single, 1.02 * single) / single) ** 2))


def shown(one: Share, other: Share, limit: float) -> bool:
    """Whether the two differ by so many standard errors."""
    return abs(z_of_shares(one, other, 1.0)) >= limit


class Crossings(msgspec.Struct, frozen=True):
    """What the looks so far say of each arm against each other.

    `above[a][b]`: `a` was above `b` by the bound of a look.
    """

    above: tuple[tuple[bool, ...], ...]

    @classmethod
    def none(cls, arms: int) -> Crossings:
        """Before the first look."""
        return cls(((False,) * arms,) * arms)

    def looked(self, arms: Sequence[Share], limit: float) -> Crossings:
        """With one look more. A pair with too few successes or failures is not looked at."""
        return Crossings(
            tuple(
                tuple(
                    was
                    or (
                        one.value > other.value
                        and enough(one)
                        and enough(other)
                        and shown(one, other, limit)
                    )
                    for was, other in zip(row, arms, strict=True)
                )
                for row, one in zip(self.above, arms, strict=True)
            )
        )

    def winner(self) -> int | None:
        """The arm that was shown above each other one, if there is one.

        Two arms that beat one another at different looks are both no winner.
        """
        for arm, row in enumerate(self.above):
            others = [other for other in range(len(row)) if other != arm]
            if all(row[other] and not self.above[other][arm] for other in others):
                return arm
        return None


def _moments(looks: int, last: float) -> list[Moment]:
    """Evenly spaced, and each with its bound: the sum of steps meets the same edge everywhere."""
    return [Moment(number / looks, last * sqrt(looks / number)) for number in range(1, looks + 1)]


def _root(of: Callable[[float], float], one: float, other: float) -> float:
    """Where it is 0, near two guesses: it is nearly straight there."""
    at_one, at_other = of(one), of(other)
    for _ in range(_STEPS_MAX):
        if abs(at_other) < _EXACT or at_other == at_one:
            break
        one, other = other, other - at_other * (other - one) / (at_other - at_one)
        at_one, at_other = at_other, of(other)
    return other
