"""How likely a comparison that grows step by step passes one of its limits.

Owns that integration: normal steps, judged at a few moments. Must not choose a limit. Pure.

A moment is told by its information: what share of the planned people has been judged by then. The
sum of steps up to there has that variance, so z is the sum divided by the root of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import ceil, erfc, inf, sqrt
from operator import mul
from typing import Final

import msgspec

_CELLS: Final = 96
"""From the middle to the outermost limit; the error is of the square of a cell."""
_HALVINGS: Final = 60
_Z_MAX: Final = 40.0
_STEP_MIN: Final = 1e-9


class Moment(msgspec.Struct, frozen=True):
    """When it is judged, and what |z| has to reach there."""

    information: float
    limit: float


def crossed(moments: Sequence[Moment], drift: float = 0.0) -> tuple[float, ...]:
    """The probability to have passed a limit by each moment. Information grows, and is above 0.

    `drift`: what the sum is to be at information 1; 0 where nothing differs.
    """
    inside = _Inside(moments[:-1])  # nothing goes on from the last one, so its limit needs no cells
    found = []
    for place, each in enumerate(moments):
        found.append(inside.leaves(each, drift))
        if place < len(moments) - 1:
            inside.go(each, drift)
    return tuple(accumulate(found))


def limit_for(before: Sequence[Moment], information: float, probability: float) -> float:
    """What |z| has to reach at `information`, so that it is passed there, and nowhere before,
    with this probability. Infinite for 0.
    """
    if probability <= 0:
        return inf
    inside = _Inside(before)
    for each in before:
        inside.go(each, 0.0)
    low, high = 0.0, _Z_MAX
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if inside.leaves(Moment(information, middle), 0.0) > probability:
            low = middle
        else:
            high = middle
    return high


class _Inside:
    """What is still inside all limits so far, as masses of equal cells around 0."""

    def __init__(self, moments: Sequence[Moment]) -> None:
        edges = [_edge(each) for each in moments if each.limit < inf]
        self._width = max(edges, default=1.0) / _CELLS
        self._information = 0.0
        self._first, self._masses = 0, [1.0]

    def leaves(self, moment: Moment, drift: float) -> float:
        """The probability to pass the limit of this next moment."""
        if moment.limit == inf:
            return 0.0
        step, shift = self._step(moment, drift)
        edge = _edge(moment)
        return sum(
            mass * (_above((edge - at) / step) + _above((edge + at) / step))
            for mass, at in zip(self._masses, self._centres(shift), strict=True)
        )

    def go(self, moment: Moment, drift: float) -> None:
        """Go on from this next moment with what has stayed inside."""
        step, shift = self._step(moment, drift)
        reach = max(_edge(moment), 0.0) if moment.limit < inf else self._reach(step, shift)
        cells = max(ceil(reach / self._width - 0.5), 0)
        furthest = cells + max(-self._first, self._first + len(self._masses) - 1)
        kernel = [
            _between((n - 0.5) * self._width - shift, (n + 0.5) * self._width - shift, step)
            for n in range(-furthest, furthest + 1)
        ]
        # From the place j to the place i is kernel[i - j + furthest].
        kernel.reverse()
        masses = []
        for place in range(-cells, cells + 1):
            begin = furthest - place + self._first
            part = kernel[begin : begin + len(self._masses)]
            masses.append(sum(map(mul, part, self._masses)))
        covered = min(max(reach / self._width - (cells - 0.5), 0.0), 1.0)
        masses[0] *= covered
        if cells:
            masses[-1] *= covered
        self._first, self._masses = -cells, masses
        self._information = moment.information

    def _step(self, moment: Moment, drift: float) -> tuple[float, float]:
        more = max(moment.information - self._information, _STEP_MIN)
        return sqrt(more), drift * more

    def _centres(self, shift: float) -> list[float]:
        return [(self._first + n) * self._width + shift for n in range(len(self._masses))]

    def _reach(self, step: float, shift: float) -> float:
        """How far anything gets in a step that has no limit."""
        return max(abs(at) for at in self._centres(shift)) + 8 * step


def _edge(moment: Moment) -> float:
    return moment.limit * sqrt(moment.information)


def _above(z: float) -> float:
    return 0.5 * erfc(z / sqrt(2))


def _between(low: float, high: float, step: float) -> float:
    if low > 0:  # of two small tails, so that their difference is exact
        return _above(low / step) - _above(high / step)
    return _above(-high / step) - _above(-low / step)
