"""How many people an experiment needs, by what was written before anybody was texted.

Owns the sizes, and the warnings that there are too few or too late. Must not look at what came of
it. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import timedelta

from campaigns.decisions.looks import apart
from campaigns.experiments.planned_looks import inflation
from campaigns.experiments.power import level_each, per_arm
from campaigns.experiments.winner import Fallback, Rules, matured_min
from campaigns.running.experiment_spec import Experiment
from campaigns.running.plan_warnings import PlanWarning
from campaigns.running.schedule import finish_after
from campaigns.running.spec import Spec, spread_minutes

DELIVERED_MIN = 0.95  # of those planned: with less a guard stops the campaign


def needed_matured(asked: Experiment, arms: int) -> int:
    """Of each arm, before a winner may be named. `arms`: 2 or more.

    Of planned looks it is the last one that needs so many, and each other one its part.
    """
    level, looks = level_each(asked.alpha, arms), asked.test.planned
    single = per_arm(asked.base, asked.base + asked.tau, level)
    return matured_min(single if looks is None else math.ceil(single * inflation(looks, level)))


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


def warnings(spec: Spec, test: Mapping[str, int]) -> Iterator[PlanWarning]:
    """Why a test of these people by arm may show nothing."""
    if spec.experiment is not None:
        yield from _underpowered(spec, spec.experiment, test)
        yield from _too_slow(spec, spec.experiment, sum(test.values()))
        yield from _at_once(spec, spec.experiment, sum(test.values()))


def _underpowered(spec: Spec, asked: Experiment, test: Mapping[str, int]) -> Iterator[PlanWarning]:
    needed = needed_planned(asked, len(spec.arms))
    smallest = min(test.values())
    if smallest >= needed:
        return
    weights = [arm.weight for arm in spec.arms]
    people = math.ceil(needed * sum(weights) / min(weights))
    detail = (
        f"an arm of the test has {smallest} people, and {needed} are needed to show"
        f" {asked.tau:g} above {asked.base:g}: {people} in the test"
    )
    yield PlanWarning("underpowered", detail, "/experiment")


def _too_slow(spec: Spec, asked: Experiment, people: int) -> Iterator[PlanWarning]:
    """By its rate alone: hours in which nobody is texted come on top."""
    takes, room = _takes(spec, people), asked.decide_span - asked.window_span
    if takes > room:
        detail = (
            f"the test takes {_hours(takes)} to send, and whoever is delivered more than"
            f" {_hours(room)} after the start is not judged before decide_by"
        )
        yield PlanWarning("test_too_slow", detail, "/experiment/decide_by")


def _at_once(spec: Spec, asked: Experiment, people: int) -> Iterator[PlanWarning]:
    """By its rate and spread alone: connectors may be slower."""
    looks, takes = asked.test.planned or 1, _takes(spec, people)
    if looks > 1 and takes < looks * apart(asked):
        minute = timedelta(minutes=1)
        detail = (
            f"the test may be sent within {math.ceil(takes / minute)} minutes, and its people are"
            f" judged all at once: the first of its {looks} looks may be the last. A spread of"
            f" {math.ceil(looks * apart(asked) / minute)} minutes or more keeps them apart"
        )
        yield PlanWarning("looks_at_once", detail, "/experiment/test")


def _takes(spec: Spec, people: int) -> timedelta:
    schedule = spec.schedule
    return finish_after(
        people, schedule.rate, ramp=schedule.ramp, spread_minutes=spread_minutes(schedule)
    )


def _hours(span: timedelta) -> str:
    return f"{span / timedelta(hours=1):.1f} hours"
