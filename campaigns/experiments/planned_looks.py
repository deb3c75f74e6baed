"""A test with a few looks that are planned beforehand: O'Brien and Fleming's bounds.

Owns the bounds. Must not plan when to look. Pure.

Early looks ask for much, so that the last one asks for hardly more than a single test.
"""

from __future__ import annotations

from math import sqrt
from typing import Final

from dlr.anomalies.significance import Share, z_of_shares

LOOKS_MAX: Final = 5

# The last bound of so many looks that keeps wrong alarms at 5 % on both sides together.
_LAST: Final = (1.960, 1.977, 2.004, 2.024, 2.040)


def bounds(looks: int) -> tuple[float, ...]:
    """What |z| has to reach at each look for a level of 5 %, evenly spaced. `looks`: 1 to 5.

    Raises ValueError for another number.
    """
    if not 1 <= looks <= LOOKS_MAX:
        raise ValueError(f"{looks} looks are not between 1 and {LOOKS_MAX}")
    return tuple(_LAST[looks - 1] * sqrt(looks / number) for number in range(1, looks + 1))


def shown(one: Share, other: Share, number: int, looks: int) -> bool:
    """Whether look `number`, from 1, of so many shows a difference."""
    return abs(z_of_shares(one, other, 1.0)) >= bounds(looks)[number - 1]
