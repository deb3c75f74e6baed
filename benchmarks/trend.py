"""Whether a figure grows with time: a slope that outliers cannot bend, and how sure it is.

Owns that arithmetic: the median of all slopes between two points (Theil and Sen), with the interval
of Kendall's statistic. Must not measure. Pure.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import msgspec

POINTS_MIN = 10
TWO_SIDED_95 = 1.96


class Trend(msgspec.Struct, frozen=True):
    """How much a figure grew from the first point to the last; by `low` to `high` with a confidence
    of 95 %. `level` is the median of the points.
    """

    growth: float
    low: float
    high: float
    level: float


def trend(points: Sequence[tuple[float, float]]) -> Trend | None:
    """Of (seconds, figure). None: they are too few, or of one moment."""
    ordered = sorted(points)
    count = len(ordered)
    if count < POINTS_MIN:
        return None
    slopes = sorted(
        (ordered[later][1] - ordered[earlier][1]) / (ordered[later][0] - ordered[earlier][0])
        for earlier in range(count)
        for later in range(earlier + 1, count)
        if ordered[later][0] > ordered[earlier][0]
    )
    span = ordered[-1][0] - ordered[0][0]
    if not slopes:
        return None
    spread = math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    apart = TWO_SIDED_95 * spread
    first = max(0, math.floor((len(slopes) - apart) / 2))
    last = min(len(slopes) - 1, math.ceil((len(slopes) + apart) / 2))
    return Trend(
        growth=statistics.median(slopes) * span,
        low=slopes[first] * span,
        high=slopes[last] * span,
        level=statistics.median(figure for _, figure in ordered),
    )
