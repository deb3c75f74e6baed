"""With which windows a quarter of an hour is compared, and at which age.

Owns both choices. Rates rise while receipts come in, so a young window is compared with others as
they were at the same age. Must not read tables. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean, variance
from typing import Final, Literal

import msgspec

from dlr.anomalies.significance import Share, total
from dlr.rollups.columns import QUARTERS_PER_DAY

DAYS: Final = 28
WINDOWS_MIN: Final = 4

Age = Literal["d5m", "d1h"]
AGES: Final[Mapping[Age, int]] = {"d5m": 1, "d1h": 4}  # quarters from a window's end


class Window(msgspec.Struct, frozen=True, gc=False):
    """One quarter of an hour of a key. `d5m`, `d1h`: delivered within that time of acceptance."""

    accepted: int
    sent: int
    d5m: int
    d1h: int

    def share(self, age: Age) -> Share:
        """What was delivered when its last message was so old."""
        return Share(min(getattr(self, age), self.sent), self.sent)


def compared_with(quarter: int) -> tuple[int, ...]:
    """The same quarter of the 7 days before, and of the same weekday of the 28 before.

    Quarters are counted from an epoch, so a day is QUARTERS_PER_DAY of them.
    """
    days = (*range(1, 8), *range(14, DAYS + 1, 7))
    return tuple(quarter - day * QUARTERS_PER_DAY for day in days)


def usual_share(windows: Sequence[Window], age: Age) -> Share | None:
    """All windows together at this age; None where too few had traffic."""
    full = [window.share(age) for window in windows if window.sent]
    return total(full) if len(full) >= WINDOWS_MIN else None


def usual_count(windows: Sequence[Window]) -> tuple[float, float] | None:
    """(mean, variance) of the messages accepted; None where too few windows are known.

    A window without traffic counts as 0, if the key had any.
    """
    counts = [window.accepted for window in windows]
    if len(counts) < WINDOWS_MIN or not any(counts):
        return None
    return mean(counts), float(variance(counts))


def age_that_tells(usual_early: Share | None, usual_late: Share | None) -> Age:
    """At which age a key is looked at, so that each window is tested once.

    Five minutes where most of what is delivered in an hour is delivered by then.
    """
    if usual_early is None:
        return "d1h"
    if usual_late is None:
        return "d5m"  # a key without traffic an hour ago
    if not usual_late.part:
        return "d1h"
    return "d5m" if usual_early.value >= usual_late.value / 2 else "d1h"
