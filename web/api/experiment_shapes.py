"""Experiments and holdouts of campaigns as the API shows them, and how one is decided by hand.

Owns these shapes. Must not store or ask anything. What an author writes is an Experiment.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from campaigns.decisions.counting import ArmCounts
from campaigns.decisions.decided import Decided
from campaigns.decisions.holdouts import HoldoutReport
from campaigns.decisions.planned import NextLook
from campaigns.decisions.reporting import Difference, ExperimentReport
from campaigns.experiments.holdout import Lift
from campaigns.experiments.intervals import Bounded
from campaigns.experiments.sample_ratio import SampleRatio
from campaigns.running.experiment_spec import ChosenTest
from campaigns.running.phases import NOBODY
from dlr.anomalies.significance import Share
from dlr.rates import Rate, rate_of

HowName = Literal["won", "fallback", "by_hand", "edited"]
NoLiftName = Literal["no_holdout", "too_early", "nobody_converted", "deleted"]
VerdictName = Literal["too_few", "no_difference_shown", "better", "stopped"]
ReasonName = Literal[
    "too_few",
    "sample_ratio",
    "no_difference",
    "opt_outs_worse",
    "delivery_lower",
    "between_looks",
]


class DecideRequest(msgspec.Struct, forbid_unknown_fields=True):
    """What people behind the test get, by hand. It stays."""

    arm: Annotated[int, Meta(description="Whose text they get, from 0.")]
    reason: Annotated[str, Meta(description="1 to 500 printable characters.")]


class DecisionResource(msgspec.Struct, kw_only=True):
    """What was decided about the people behind the test of an experiment."""

    at: datetime
    how: Annotated[
        HowName,
        Meta(description="`edited`: the text of an arm was changed, which ended the experiment."),
    ]
    remainder: Annotated[
        Literal["arm", "split", "stop"],
        Meta(description="They get the text of `arm`, each that of the own arm, or nothing."),
    ]
    arm: int | None
    by: Annotated[str, Meta(description="A key, or `job`: the gateway by itself.")]
    reason: str | None


class TestedArm(msgspec.Struct, kw_only=True):
    """One arm of a test. A recipient is matured once the time to react is over.

    `rate`: successes of those matured. `opt_outs`: people out of those delivered.
    """

    arm: int
    planned: int
    matured: int
    successes: int
    rate: Rate
    delivery: Rate
    opt_outs: Rate


class ArmDifference(msgspec.Struct, kw_only=True):
    """How far arm `one` is above arm `other`. The bounds and `p` hold however often one looks.

    Where looks are planned it is as of the last one. The bounds hold at all of them together.
    """

    one: int
    other: int
    value: float
    low: float
    high: float
    p: Annotated[float | None, Meta(description="null where looks are planned: `z` says it.")]
    z: Annotated[
        float | None,
        Meta(description="Standard errors at the last planned look, against its `bound`."),
    ]


class RatioCheck(msgspec.Struct, kw_only=True):
    """Whether the arms are of the sizes that they should be. `off`: not by chance."""

    chi_square: float
    p: float
    off: bool


class LookResource(msgspec.Struct, kw_only=True):
    """What one look has seen, arm by arm. `ratio`: the largest likelihood ratio of two arms.

    A planned look has a `number` and a `bound` instead.
    """

    at: datetime
    matured: list[int]
    successes: list[int]
    ratio: float | None
    verdict: VerdictName
    number: Annotated[int | None, Meta(description="Of a planned look, from 1.")]
    bound: Annotated[
        float | None,
        Meta(description="What |z| had to reach; null where nobody was matured."),
    ]
    note: Annotated[
        str | None,
        Meta(description="What was not as planned: other people than meant, or a missed look."),
    ]


class NextLookResource(msgspec.Struct, kw_only=True):
    """The planned look that comes next. What the figures are until then decides nothing."""

    number: int
    matured: Annotated[
        list[int], Meta(description="It comes when so many people are matured, arm by arm.")
    ]
    bound: Annotated[float, Meta(description="What |z| has to reach there, as planned.")]
    at_latest: Annotated[
        datetime | None, Meta(description="Then the last one is taken, with whoever is matured.")
    ]


class ExperimentResource(msgspec.Struct, kw_only=True):
    """What an experiment shows so far, in the people of its test.

    `needed` of each arm have to be matured before a winner is named. `underpowered`: the test has
    too few people for that. `waiting` people get theirs after the decision. `better` is an arm.
    """

    metric: str
    verdict: VerdictName
    words: Annotated[str, Meta(description="The verdict for people.")]
    better: int | None
    reasons: Annotated[list[ReasonName], Meta(description="What stands in the way of a winner.")]
    decision: DecisionResource | None
    decide_by: datetime | None
    needed: int
    underpowered: bool
    waiting: int
    arms: list[TestedArm]
    differences: list[ArmDifference]
    planned_ratio: RatioCheck
    matured_ratio: RatioCheck
    looks: list[LookResource]
    test: Annotated[ChosenTest, Meta(description="By which the arms are compared.")]
    next_look: Annotated[
        NextLookResource | None,
        Meta(description="null where looks are not planned, or none follows."),
    ]


class Figure(msgspec.Struct, kw_only=True):
    """A figure within its 95 % bounds."""

    value: float
    low: float
    high: float


class LiftResource(msgspec.Struct, kw_only=True):
    """What the texts brought: a difference of rates, `extra` people of those texted, a ratio."""

    difference: Figure
    extra: Figure
    ratio: Annotated[
        Figure | None, Meta(description="null while one of the sides has no conversion.")
    ]


class HoldoutResource(msgspec.Struct, kw_only=True):
    """People who were texted against those held out: who did `event` within so many hours.

    Both are judged from the moment when their turn came.
    """

    event: str
    window_hours: float
    texted: Rate
    held_out: Rate
    lift: LiftResource | None
    why: Annotated[NoLiftName | None, Meta(description="Why there is no lift.")]


def decision_resource(made: Decided | None) -> DecisionResource | None:
    """A decision as it is shown."""
    if made is None:
        return None
    remainder: Literal["arm", "split", "stop"] = "arm"
    if made.arm is None or made.arm == NOBODY:
        remainder = "split" if made.arm is None else "stop"
    return DecisionResource(
        at=made.at,
        how=msgspec.convert(made.how.value, HowName),
        remainder=remainder,
        arm=made.arm if remainder == "arm" else None,
        by=made.by,
        reason=made.why,
    )


def experiment_resource(made: ExperimentReport | None) -> ExperimentResource | None:
    """An experiment as it is shown."""
    if made is None:
        return None
    return ExperimentResource(
        metric=made.asked.metric,
        verdict=msgspec.convert(made.verdict.value, VerdictName),
        words=made.words,
        better=made.better,
        reasons=msgspec.convert([each.value for each in made.reasons], list[ReasonName]),
        decision=decision_resource(made.decided),
        decide_by=made.decide_by,
        needed=made.needed,
        underpowered=made.underpowered,
        waiting=made.waiting,
        arms=[_arm(place, each) for place, each in enumerate(made.arms)],
        differences=[_difference(each) for each in made.differences],
        planned_ratio=_ratio(made.planned_ratio),
        matured_ratio=_ratio(made.matured_ratio),
        looks=[_look(made, place) for place in range(len(made.looks))],
        test=made.asked.test,
        next_look=None if made.upcoming is None else _next(made.upcoming),
    )


def holdout_resource(made: HoldoutReport) -> HoldoutResource:
    """A holdout as it is shown."""
    return HoldoutResource(
        event=made.event,
        window_hours=made.window.total_seconds() / 3600,
        texted=_rate(made.texted),
        held_out=_rate(made.held_out),
        lift=None if made.lift is None else _lift(made.lift),
        why=None if made.why is None else msgspec.convert(made.why.value, NoLiftName),
    )


def _arm(place: int, counts: ArmCounts) -> TestedArm:
    return TestedArm(
        arm=place,
        planned=counts.planned,
        matured=counts.matured,
        successes=counts.successes,
        rate=_rate(counts.outcome),
        delivery=rate_of(min(counts.delivered, counts.sent), counts.sent),
        opt_outs=rate_of(counts.opt_outs, counts.delivered),
    )


def _difference(made: Difference) -> ArmDifference:
    found = made.difference
    return ArmDifference(
        one=made.one, other=made.other, value=found.value, low=found.low, high=found.high,
        p=made.p, z=made.z,
    )  # fmt: skip


def _ratio(made: SampleRatio) -> RatioCheck:
    return RatioCheck(chi_square=made.chi_square, p=made.p, off=made.off)


def _look(report: ExperimentReport, place: int) -> LookResource:
    made = report.looks[place]
    return LookResource(
        at=made.at,
        matured=[each.matured for each in made.counts],
        successes=[each.successes for each in made.counts],
        ratio=made.ratio,
        verdict=msgspec.convert(made.verdict.value, VerdictName),
        number=made.number,
        bound=made.bound,
        note=None if report.plan is None else report.plan.note(report.looks, place),
    )


def _next(made: NextLook) -> NextLookResource:
    return NextLookResource(
        number=made.number, matured=list(made.people), bound=made.bound, at_latest=made.at_latest
    )


def _lift(made: Lift) -> LiftResource:
    return LiftResource(
        difference=_figure(made.difference),
        extra=_figure(made.extra),
        ratio=None if made.ratio is None else _figure(made.ratio),
    )


def _figure(made: Bounded) -> Figure:
    return Figure(value=made.value, low=made.low, high=made.high)


def _rate(share: Share) -> Rate:
    return rate_of(share.part, share.whole)
