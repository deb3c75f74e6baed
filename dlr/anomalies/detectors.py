"""The six questions asked of each quarter of an hour: has something gone wrong?

Owns what each one needs before it alarms: its test, its minimum sample, and the least change worth
a word. A change that is certain and small is no alarm, and neither is a large one of a few
messages. Must not count (watch.py), nor know when the same was told before (alarms.py). Pure.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

import msgspec

from dlr.anomalies.significance import (
    Share,
    limit_of,
    poisson_tail,
    scattered_tail,
    silence_tail,
    z_of_shares,
)

Detector = Literal["drop", "silence", "latency", "surge", "reason", "complaints"]
DETECTORS: Final[tuple[Detector, ...]] = get_args(Detector)
Test = Literal["two_proportions", "binomial", "negative_binomial", "poisson"]

MESSAGES_MIN: Final = 200  # of drop and latency, on both sides
POINTS_MIN: Final = 0.05  # that a rate has to drop
SILENT_MIN: Final = 20
SURGE_MIN: Final = 50
SURGE_TIMES: Final = 1.5
REASON_MIN: Final = 20
COMPLAINTS_MIN: Final = 5
TIMES: Final = 2.0  # a share that rises is at least doubled


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One alarm and all that it rests on.

    `observed` and `usual` are the share or the count now and before; `part` of `whole` is what was
    counted now. Either `z` with its `limit`, or `probability` with its `level`, passed.
    """

    detector: Detector
    test: Test
    observed: float
    usual: float
    part: int
    whole: int
    usual_part: float = 0.0
    usual_whole: int = 0
    spread: float = 1.0
    z: float | None = None
    limit: float | None = None
    probability: float | None = None
    level: float


def drop(now: Share, usual: Share, spread: float, level: float) -> Finding | None:
    """Fewer are delivered than at the same time of other days. Shares of delivered messages."""
    if min(now.whole, usual.whole) < MESSAGES_MIN or usual.value - now.value < POINTS_MIN:
        return None
    return _shares("drop", z_of_shares(usual, now, spread), now, usual, spread, level)


def latency(now: Share, usual: Share, spread: float, level: float) -> Finding | None:
    """More take longer than what 95 % took before. Shares of messages above that time."""
    if min(now.whole, usual.whole) < MESSAGES_MIN or now.value < TIMES * usual.value:
        return None
    return _shares("latency", z_of_shares(now, usual, spread), now, usual, spread, level)


def reason(now: Share, usual: Share, spread: float, level: float) -> Finding | None:
    """A reason for failure has become more frequent. Shares of messages that failed by it."""
    if now.part < REASON_MIN or not usual.whole or now.value < TIMES * usual.value:
        return None
    return _shares("reason", z_of_shares(now, usual, spread), now, usual, spread, level)


def silence(now: Share, usual: Share, level: float) -> Finding | None:
    """Nothing at all is answered. Shares of messages that are answered by the same age."""
    if now.whole < SILENT_MIN or now.part or not usual.part:
        return None
    return _improbable(
        "silence", "binomial", silence_tail(now.whole, usual.value), now, usual, level
    )


def surge(count: int, mean: float, variance: float, level: float) -> Finding | None:
    """More messages came than usual. `variance`: of the windows before, with n - 1."""
    if count < SURGE_MIN or count < SURGE_TIMES * mean:
        return None
    test: Test = "negative_binomial" if variance > mean else "poisson"
    return _counted("surge", test, scattered_tail(count, mean, variance), count, mean, level)


def complaints(count: int, usual: float, level: float) -> Finding | None:
    """More people complained than usual. `usual`: in as long a time, before."""
    if count < COMPLAINTS_MIN:
        return None
    return _counted("complaints", "poisson", poisson_tail(count, usual), count, usual, level)


def _shares(
    detector: Detector, z: float, now: Share, usual: Share, spread: float, level: float
) -> Finding | None:
    limit = limit_of(level)
    if z < limit:
        return None
    return Finding(
        detector=detector,
        test="two_proportions",
        observed=now.value,
        usual=usual.value,
        part=now.part,
        whole=now.whole,
        usual_part=usual.part,
        usual_whole=usual.whole,
        spread=spread,
        z=z,
        limit=limit,
        level=level,
    )


def _improbable(
    detector: Detector, test: Test, probability: float, now: Share, usual: Share, level: float
) -> Finding | None:
    if probability > level:
        return None
    return Finding(
        detector=detector,
        test=test,
        observed=now.value,
        usual=usual.value,
        part=now.part,
        whole=now.whole,
        usual_part=usual.part,
        usual_whole=usual.whole,
        probability=probability,
        level=level,
    )


def _counted(
    detector: Detector, test: Test, probability: float, count: int, usual: float, level: float
) -> Finding | None:
    if probability > level:
        return None
    return Finding(
        detector=detector,
        test=test,
        observed=count,
        usual=usual,
        part=count,
        whole=count,
        probability=probability,
        level=level,
    )
