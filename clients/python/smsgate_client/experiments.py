"""Owns experiments of campaigns and holdouts: what is asked for and answered. Must not ask.

Their words are in experiment_words.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from smsgate_client.experiment_words import (
    DecidedBy,
    ExperimentFallback,
    ExperimentMetric,
    ExperimentTestKind,
    ExperimentVerdict,
    NoLift,
    NoWinner,
    Remainder,
)
from smsgate_client.reports import Rate


@dataclass(frozen=True, kw_only=True)
class ChosenTest:
    """`looks`: of a planned test, 1 to 5; None is 5."""

    kind: ExperimentTestKind = ExperimentTestKind.ALWAYS_VALID
    looks: int | None = None


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
    test: ChosenTest = ChosenTest()


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
    """How far arm `one` is above arm `other`, however often one looks.

    Where looks are planned it is as of the last one, with `z` instead of `p`.
    """

    one: int
    other: int
    value: float
    low: float
    high: float
    p: float | None
    z: float | None


@dataclass(frozen=True, kw_only=True)
class RatioCheck:
    """Whether the arms are of the sizes that they should be. `off`: not by chance."""

    chi_square: float
    p: float
    off: bool


@dataclass(frozen=True, kw_only=True)
class ExperimentLook:
    """What one look has seen, arm by arm.

    A planned one has a `number` and a `bound` of |z|. `note` says what was not as planned.
    """

    at: datetime
    matured: tuple[int, ...]
    successes: tuple[int, ...]
    ratio: float | None
    verdict: ExperimentVerdict
    number: int | None
    bound: float | None
    note: str | None


@dataclass(frozen=True, kw_only=True)
class NextLook:
    """The planned look that comes next, when so many people of each arm are matured."""

    number: int
    matured: tuple[int, ...]
    bound: float
    at_latest: datetime | None


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
    test: ChosenTest
    next_look: NextLook | None


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
