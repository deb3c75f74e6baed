"""One quarter of an hour, judged: which detectors find something, at which keys.

Owns which windows each detector is shown, and the order of what it found. Must not read tables.
Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from dlr.anomalies import detectors
from dlr.anomalies.baselines import (
    AGES,
    WINDOWS_MIN,
    Age,
    Window,
    age_that_tells,
    compared_with,
    usual_count,
    usual_share,
)
from dlr.anomalies.detectors import Finding
from dlr.anomalies.keys import Counted, Place
from dlr.anomalies.significance import Share, Spread, total
from dlr.rollups.columns import start_of_quarter

EMPTY: Final = Window(0, 0, 0, 0)
# Those that open breakers first, then what explains them.
WEIGHT: Final = {"silence": 0, "drop": 1, "complaints": 2, "reason": 3, "latency": 4, "surge": 5}


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """`began_at`: of what was counted. `others`: the same of all but one-time passwords, where that
    alone alarms, too.
    """

    place: Place
    finding: Finding
    began_at: datetime
    about: str | None = None
    others: Finding | None = None
    baseline: float = 0.0  # the share that is delivered in the end


class Quarters(msgspec.Struct, frozen=True):
    """A quarter that is over, and from which one on there is anything to compare with."""

    last: int
    first: int

    def at(self, age: Age) -> int:
        """The quarter that has this age now."""
        return self.last - AGES[age] + AGES["d5m"]

    def compared(self, quarter: int) -> list[int]:
        """Those it is compared with that lie behind the beginning."""
        return [each for each in compared_with(quarter) if each >= self.first]

    def wanted(self) -> list[int]:
        """Every quarter that is read."""
        ends = {self.at(age) for age in AGES}
        return sorted(ends | {each for end in ends for each in self.compared(end)})


def of_key(
    place: Place,
    windows: Mapping[int, Counted],
    quarters: Quarters,
    spreads: Mapping[Age, Spread],
    level: float,
) -> list[Found]:
    """What is found at one key by its counts alone."""
    every = {quarter: each.every for quarter, each in windows.items()}
    others = {quarter: each.others for quarter, each in windows.items()}
    found: list[Found] = []
    usual = {age: _usual(every, quarters, age) for age in AGES}
    age = age_that_tells(usual["d5m"], usual["d1h"])
    late = usual["d1h"] or usual["d5m"]
    quarter = quarters.at(age)
    for judge in (_silence, _drop):
        finding = judge(every, quarters, age, spreads[age], level)
        if finding is not None:
            found.append(
                Found(
                    place=place,
                    finding=finding,
                    began_at=start_of_quarter(quarter),
                    others=judge(others, quarters, age, spreads[age], level),
                    baseline=0.0 if late is None else late.value,
                )
            )
            break
    counted = usual_count([every.get(each, EMPTY) for each in quarters.compared(quarters.last)])
    if counted is not None:
        accepted = every.get(quarters.last, EMPTY).accepted
        surge = detectors.surge(accepted, *counted, level)
        if surge is not None:
            began_at = start_of_quarter(quarters.last)
            found.append(Found(place=place, finding=surge, began_at=began_at))
    return found


def of_shares(
    detector: Callable[[Share, Share, float, float], Finding | None],
    now: Share,
    usual: Sequence[Share],
    spread: Spread,
    level: float,
) -> Finding | None:
    """A reason, or a latency: a share now against those of other days."""
    full = [each for each in usual if each.whole]
    if len(full) < WINDOWS_MIN:
        return None
    return detector(now, total(full), spread.factor, level)


def in_order(found: Sequence[Found]) -> list[Found]:
    """The heaviest of each key first."""
    return sorted(found, key=lambda each: WEIGHT[each.finding.detector])


def _usual(windows: Mapping[int, Window], quarters: Quarters, age: Age) -> Share | None:
    compared = quarters.compared(quarters.at(age))
    return usual_share([windows.get(each, EMPTY) for each in compared], age)


def _drop(
    windows: Mapping[int, Window], quarters: Quarters, age: Age, spread: Spread, level: float
) -> Finding | None:
    usual = _usual(windows, quarters, age)
    if usual is None:
        return None
    now = windows.get(quarters.at(age), EMPTY).share(age)
    return detectors.drop(now, usual, spread.factor, level)


def _silence(
    windows: Mapping[int, Window], quarters: Quarters, age: Age, _spread: Spread, level: float
) -> Finding | None:
    usual = _usual(windows, quarters, age)
    if usual is None:
        return None
    return detectors.silence(windows.get(quarters.at(age), EMPTY).share(age), usual, level)
