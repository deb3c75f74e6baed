"""Whether an experiment may name a winner, and what the remainder is sent.

Owns the rules of that decision. They are stored before the start, so that nobody chooses them by
the figures. Must not count, store or send. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from campaigns.experiments.always_valid import SUCCESSES_MIN
from campaigns.experiments.intervals import newcombe
from campaigns.experiments.sample_ratio import sample_ratio
from dlr.anomalies.significance import Share

MATURED_MIN: Final = 1_000
CONTROL: Final = 0  # the arm


class Fallback(StrEnum):
    """What the remainder is sent where no difference is shown in time."""

    CONTROL = "control"
    SPLIT = "split"
    STOP = "stop"


class Rules(msgspec.Struct, frozen=True):
    """What was stored before the start. `weights` and `planned` have one figure an arm.

    `tau` is the smallest difference of interest. `matured_min`: an arm's recipients, from `sizes`.
    """

    tau: float
    weights: tuple[int, ...]
    matured_min: int = MATURED_MIN
    alpha: float = 0.05
    fallback: Fallback = Fallback.CONTROL


class Arm(msgspec.Struct, frozen=True):
    """What is known of an arm. `outcome`: successes of matured recipients."""

    planned: int
    outcome: Share
    delivery: Share  # delivered of sent
    opt_outs: Share  # people out, of delivered


class State(StrEnum):
    """How far a decision is."""

    WAITING = "waiting"
    WON = "won"
    NOT_SHOWN = "no_difference_shown"


class Reason(StrEnum):
    """What stands in the way of a winner."""

    TOO_FEW = "too_few"
    SAMPLE_RATIO = "sample_ratio"
    NO_DIFFERENCE = "no_difference"
    OPT_OUTS_WORSE = "opt_outs_worse"
    DELIVERY_LOWER = "delivery_lower"
    BETWEEN_LOOKS = "between_looks"  # looks are planned, and the next one is not taken


class Decision(msgspec.Struct, frozen=True):
    """`winner` is an arm where one has won; `reasons` say why none has."""

    state: State
    winner: int | None = None
    reasons: tuple[Reason, ...] = ()

    def arm_sent(self, arm: int, *, in_test: bool, fallback: Fallback) -> int | None:
        """The arm whose text a recipient gets, who is planned in `arm`, 0 or above.

        Who is in the test keeps his arm whatever is decided. None: nothing is sent, now or ever.
        """
        if in_test:
            return arm
        if self.state is State.WAITING:
            return None
        if self.winner is not None:
            return self.winner
        return {Fallback.CONTROL: CONTROL, Fallback.SPLIT: arm, Fallback.STOP: None}[fallback]


def matured_min(power_size: int) -> int:
    """How many matured recipients an arm needs, from what power asks for."""
    return max(MATURED_MIN, power_size)


def decide(rules: Rules, arms: Sequence[Arm], winner: int | None, *, due: bool) -> Decision:
    """What the figures allow. `winner`: the arm that all looks together show to be better.

    `due`: the time to decide is over.
    """
    reasons = tuple(_reasons(rules, arms, winner))
    if not reasons:
        return Decision(State.WON, winner)
    return Decision(State.NOT_SHOWN if due else State.WAITING, None, reasons)


def _reasons(rules: Rules, arms: Sequence[Arm], winner: int | None) -> Iterator[Reason]:
    few = [
        arm.outcome
        for arm in arms
        if arm.outcome.whole < rules.matured_min or arm.outcome.part < SUCCESSES_MIN
    ]
    if few:
        yield Reason.TOO_FEW
    counts = [arm.planned for arm in arms], [arm.outcome.whole for arm in arms]
    if any(sample_ratio(each, rules.weights).off for each in counts):
        yield Reason.SAMPLE_RATIO
    if winner is None:
        yield Reason.NO_DIFFERENCE
        return
    won = arms[winner]
    others = [arm for place, arm in enumerate(arms) if place != winner]
    if any(_surely_above(won.opt_outs, arm.opt_outs) for arm in others):
        yield Reason.OPT_OUTS_WORSE
    if any(_surely_above(arm.delivery, won.delivery) for arm in others):
        yield Reason.DELIVERY_LOWER


def _surely_above(one: Share, other: Share) -> bool:
    return bool(one.whole and other.whole) and newcombe(one, other).above_zero
