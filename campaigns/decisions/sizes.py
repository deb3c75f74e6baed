"""How many people an experiment needs, by what was written before anybody was texted.

Owns the sizes, and the warning that there are too few. Must not look at what came of it. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from campaigns.experiments.power import level_each, per_arm
from campaigns.experiments.winner import Fallback, Rules, matured_min
from campaigns.running.experiment_spec import Experiment
from campaigns.running.plan_warnings import PlanWarning
from campaigns.running.spec import Spec

DELIVERED_MIN = 0.95  # of those planned: with less a guard stops the campaign


def needed_matured(asked: Experiment, arms: int) -> int:
    """Of each arm, before a winner may be named. `arms`: 2 or more."""
    level = level_each(asked.alpha, arms)
    return matured_min(per_arm(asked.base, asked.base + asked.tau, level))


def needed_planned(asked: Experiment, arms: int) -> int:
    """Of each arm in the test, so that as many are delivered as are needed."""
    return math.ceil(needed_matured(asked, arms) / DELIVERED_MIN)


def rules_of(spec: Spec, asked: Experiment) -> Rules:
    """By which it is decided."""
    return Rules(
        tau=asked.tau,
        weights=tuple(arm.weight for arm in spec.arms),
        matured_min=needed_matured(asked, len(spec.arms)),
        alpha=asked.alpha,
        fallback=Fallback(asked.fallback),
    )


def underpowered(spec: Spec, test: Mapping[str, int]) -> Iterator[PlanWarning]:
    """That a test of these people by arm cannot show what it is after; nothing: it can."""
    if spec.experiment is None:
        return
    needed = needed_planned(spec.experiment, len(spec.arms))
    smallest = min(test.values())
    if smallest >= needed:
        return
    weights = [arm.weight for arm in spec.arms]
    people = math.ceil(needed * sum(weights) / min(weights))
    detail = (
        f"an arm of the test has {smallest} people, and {needed} are needed to show"
        f" {spec.experiment.tau:g} above {spec.experiment.base:g}: {people} in the test"
    )
    yield PlanWarning("underpowered", detail, "/experiment")
