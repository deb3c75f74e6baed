"""Owns experiments of campaigns and holdouts: what is asked for, what is answered, their words.

Must not ask.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from smsgate_client.reports import Rate
from smsgate_client.words import Word


class ExperimentMetric(Word):
    """What arms are compared by, in people of those delivered."""

    CLICKED = "uctr_delivered"
    CONVERTED = "cvr_delivered"


class ExperimentFallback(Word):
    """What people behind the test get where no difference is shown in time."""

    CONTROL = "control"
    SPLIT = "split"
    STOP = "stop"


class ExperimentVerdict(Word):
    """What an experiment shows."""

    TOO_FEW = "too_few"
    NO_DIFFERENCE_SHOWN = "no_difference_shown"
    BETTER = "better"
    STOPPED = "stopped"


class DecidedBy(Word):
    """By what an experiment was decided."""

    WON = "won"
    FALLBACK = "fallback"
    BY_HAND = "by_hand"
    EDITED = "edited"


class Remainder(Word):
    """What people behind the test get: one arm's text, each that of the own arm, or nothing."""

    ARM = "arm"
    SPLIT = "split"
    STOP = "stop"


class NoWinner(Word):
    """What stands in the way of a winner."""

    TOO_FEW = "too_few"
    SAMPLE_RATIO = "sample_ratio"
    NO_DIFFERENCE = "no_difference"
    OPT_OUTS_WORSE = "opt_outs_worse"
    DELIVERY_LOWER = "delivery_lower"


class NoLift(Word):
    """Why nothing can be said of what a campaign brought."""

    NO_HOLDOUT = "no_holdout"
    TOO_EARLY = "too_early"
    NOBODY_CONVERTED = "nobody_converted"
    DELETED = "deleted"


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A test of the arms on the share `test_share`. `decide_by` and `window` are as in `PT36H`."""

    metric: ExperimentMetric
    tau: float
    test_share: float
    decide_by: str
    window: str = "PT24H"
    alpha: float = 0.05
    base: float = 0.02
    fallback: ExperimentFallback = ExperimentFallback.CONTROL


@dataclass(frozen=True, kw_only=True)
class DecideExperiment:
    """Whose text people behind the test get, by hand."""

    arm: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What was decided about people behind a test."""

    at: datetime
    how: DecidedBy
    remainder: Remainder
    arm: int | None
    by: str
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class TestedArm:
    """One arm of a test. A recipient is matured once the time to react is over."""

    arm: int
    planned: int
    matured: int
    successes: int
    rate: Rate
    delivery: Rate
    opt_outs: Rate


@dataclass(frozen=True, kw_only=True)
class ArmDifference:
    """How far arm `one` is above arm `other`, however often one looks."""

    one: int
    other: int
    value: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, kw_only=True)
class RatioCheck:
    """Whether the arms are of the sizes that they should be. `off`: not by chance."""

    chi_square: float
    p: float
    off: bool


@dataclass(frozen=True, kw_only=True)
class ExperimentLook:
    """What one look has seen, arm by arm."""

    at: datetime
    matured: tuple[int, ...]
    successes: tuple[int, ...]
    ratio: float
    verdict: ExperimentVerdict


@dataclass(frozen=True, kw_only=True)
class ExperimentFigures:
    """What an experiment shows so far; `words` say it. `waiting` people get theirs afterwards."""

    metric: str
    verdict: ExperimentVerdict
    words: str
    better: int | None
    reasons: tuple[NoWinner, ...]
    decision: Decision | None
    decide_by: datetime | None
    needed: int
    underpowered: bool
    waiting: int
    arms: tuple[TestedArm, ...]
    differences: tuple[ArmDifference, ...]
    planned_ratio: RatioCheck
    matured_ratio: RatioCheck
    looks: tuple[ExperimentLook, ...]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure within its 95 % bounds."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Lift:
    """What the texts brought: a difference of rates, `extra` people, and a ratio of the rates."""

    difference: Figure
    extra: Figure
    ratio: Figure | None


@dataclass(frozen=True, kw_only=True)
class HoldoutFigures:
    """People who were texted against those held out; `why` says why there is no lift."""

    event: str
    window_hours: float
    texted: Rate
    held_out: Rate
    lift: Lift | None
    why: NoLift | None
