"""How often the tests of experiments are wrong: many simulated ones, each a seed.

Owns the simulated experiments and what each rule made of them. Must not test by itself: the rules
are those of campaigns/experiments.

Three figures show what others use and this project does not. They are a usual test that is read
again and again, a probability of winning, and the highest rate. Nothing is required of them.
"""

from __future__ import annotations

import argparse
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from math import log, sqrt
from random import Random
from statistics import NormalDist

from benchmarks.gateways import BenchmarkFailed
from benchmarks.verdicts import Verdict
from campaigns.experiments.always_valid import Evidence
from campaigns.experiments.planned_looks import LOOKS_MAX, bounds, shown
from campaigns.experiments.power import POWER, per_arm
from campaigns.experiments.units import Unit, matured
from dlr.anomalies.significance import Share, z_of_shares

ALPHA = 0.05
TAU = 0.005
RATE = 0.02
LOOK_RECIPIENTS = 500  # an arm, between two looks
LOOKS = 20
WINDOW_MINUTES = 24 * 60
ARM_RECIPIENTS = 10_000
QUICK_HOURS, SLOW_HOURS = 1.0, 4.0  # mean time to a click
SLOW_SHARE = 20  # a twentieth of the runs is enough where a run holds every recipient
FOUND_RATE = 0.03
ARMS = range(2, 6)
_Z_95 = NormalDist().inv_cdf(1 - ALPHA / 2)

Arms = list[Share]


def successes(random: Random, people: int, rate: float) -> int:
    """How many of them have one: the gaps between successes are drawn, which is quick and exact."""
    found, place, scale = 0, 0, log(1 - rate)
    while True:
        place += 1 + int(log(1 - random.random()) / scale)
        if place > people:
            return found
        found += 1


def looks_at(random: Random, rates: Sequence[float], looks: int, people: int) -> Iterable[Arms]:
    """The arms at each look, `people` more in each every time."""
    arms = [Share(0, 0) for _ in rates]
    for _ in range(looks):
        arms = [
            arm + Share(successes(random, people, rate), people)
            for arm, rate in zip(arms, rates, strict=True)
        ]
        yield arms


def usual_test(looks: Iterable[Arms]) -> bool:
    """Whether any look passes 1.96 standard errors."""
    return any(abs(z_of_shares(one, other, 1.0)) >= _Z_95 for one, other in looks)


def always_valid(looks: Iterable[Arms]) -> bool:
    """Whether any look names a winner."""
    evidence: Evidence | None = None
    for arms in looks:
        evidence = (evidence or Evidence.none(len(arms))).looked(arms, TAU, ALPHA)
        if evidence.winner(ALPHA) is not None:
            return True
    return False


def planned(looks: Iterable[Arms]) -> bool:
    """Whether any of the planned looks shows a difference."""
    return any(
        shown(one, other, limit)
        for (one, other), limit in zip(looks, bounds(LOOKS_MAX), strict=True)
    )


def probably_better(looks: Iterable[Arms]) -> bool:
    """Whether an arm is ever better with a probability of 90 %, from 500 recipients on."""
    limit = NormalDist().inv_cdf(0.9)
    return any(abs(z_of_shares(one, other, 1.0)) >= limit for one, other in looks)


def highest(looks: Iterable[Arms]) -> bool:
    """Whether the first arm, which is worse, has the highest rate at the last look."""
    *_, (worse, better) = looks
    return worse.part > better.part


def delays(random: Random, mean_hours: float) -> list[int]:
    """After how many minutes each person of an arm clicks who does, in order; inside the window."""
    people = successes(random, ARM_RECIPIENTS, RATE)
    found = (int(random.expovariate(1 / (60 * mean_hours))) for _ in range(people))
    return sorted(min(delay, WINDOW_MINUTES - 1) for delay in found)


def read_early(quick: Sequence[int], slow: Sequence[int]) -> Iterable[Arms]:
    """Clicks so far of all who were reached, every quarter of an hour."""
    for minute in range(15, WINDOW_MINUTES + 1, 15):
        yield [Share(bisect_left(arm, minute), ARM_RECIPIENTS) for arm in (quick, slow)]


def read_matured(quick: Sequence[int], slow: Sequence[int]) -> Iterable[Arms]:
    """The same arms by recipients whose window is over: there are none before its end."""
    silent = [Unit(0)] * ARM_RECIPIENTS
    arms = [[*(Unit(0, delay) for delay in arm), *silent[len(arm) :]] for arm in (quick, slow)]
    for minute in (WINDOW_MINUTES // 2, WINDOW_MINUTES - 1, WINDOW_MINUTES):
        yield [matured(units, WINDOW_MINUTES, minute) for units in arms]


def share_of(runs: int, seed: int, experiment: Callable[[Random], bool]) -> float:
    """Of so many experiments, each of a chance of its own."""
    return sum(experiment(Random(f"{seed}/{run}")) for run in range(runs)) / runs


def errors(runs: int, seed: int) -> dict[str, float]:
    """How often each rule is wrong, or finds what is there; shares of the runs."""

    def same(arms: int = 2, looks: int = LOOKS) -> Callable[[Random], Iterable[Arms]]:
        return lambda random: looks_at(random, [RATE] * arms, looks, LOOK_RECIPIENTS)

    def winner_of_same(arms: int) -> Callable[[Random], bool]:
        return lambda random: always_valid(same(arms)(random))

    def worse(random: Random) -> Iterable[Arms]:
        return looks_at(random, [RATE, RATE + TAU], 1, 1_000)

    def of_size(random: Random) -> Iterable[Arms]:
        return looks_at(random, [RATE, FOUND_RATE], 1, per_arm(RATE, FOUND_RATE))

    def arms(random: Random) -> tuple[list[int], list[int]]:
        return delays(random, QUICK_HOURS), delays(random, SLOW_HOURS)

    few = max(runs // SLOW_SHARE, 1)
    found = {
        "usual_test_wrong": share_of(runs, seed, lambda r: usual_test(same()(r))),
        "probably_better_wrong": share_of(
            runs, seed, lambda r: probably_better(same(looks=2 * LOOKS)(r))
        ),
        "highest_wrong": share_of(runs, seed, lambda r: highest(worse(r))),
        "read_early_wrong": share_of(few, seed, lambda r: always_valid(read_early(*arms(r)))),
        "read_matured_wrong": share_of(few, seed, lambda r: always_valid(read_matured(*arms(r)))),
        "planned_looks_wrong": share_of(runs, seed, lambda r: planned(same(looks=LOOKS_MAX)(r))),
        "power_found": share_of(runs, seed, lambda r: usual_test(of_size(r))),
    }
    for count in ARMS:
        found[f"always_valid_{count}_arms_wrong"] = share_of(runs, seed, winner_of_same(count))
    return found


def verdicts_of(found: dict[str, float], runs: int) -> list[Verdict]:
    """What is required of each; a share that is aimed at exactly may miss by three errors."""

    def reach(share: float) -> float:
        return 3 * sqrt(share * (1 - share) / runs)

    asked = {
        **{f"always_valid_{count}_arms_wrong": ALPHA for count in ARMS},
        "read_matured_wrong": ALPHA,
        "planned_looks_wrong": ALPHA + reach(ALPHA),
    }
    return [
        *(Verdict(name, found[name], bound, at_most=True) for name, bound in asked.items()),
        Verdict("power_found", found["power_found"], POWER - reach(POWER)),
    ]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this benchmark."""
    parser.add_argument("--runs", type=int, default=20_000, help="experiments of each kind")
    parser.add_argument("--seed", type=int, default=1, help="of all of them")


def run(arguments: argparse.Namespace) -> dict[str, object]:
    """The shares and what is required of them. Raises BenchmarkFailed without runs."""
    if arguments.runs < 1:
        raise BenchmarkFailed(f"{arguments.runs} runs show nothing")
    found = errors(arguments.runs, arguments.seed)
    return {
        "runs": arguments.runs,
        "seed": arguments.seed,
        "rounds": {name: [{"share": share}] for name, share in found.items()},
        "verdicts": verdicts_of(found, arguments.runs),
    }
