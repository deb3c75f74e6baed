"""When a winner may be named, and what the remainder is sent."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from campaigns.experiments.always_valid import Evidence
from campaigns.experiments.winner import (
    Arm,
    Decision,
    Fallback,
    Reason,
    Rules,
    State,
    decide,
    matured_min,
)
from dlr.anomalies.significance import Share

RULES = Rules(tau=0.005, weights=(1, 1))
GOOD = Arm(10_000, Share(273, 10_000), Share(10_000, 10_300), Share(20, 10_000))
BAD = msgspec.structs.replace(GOOD, outcome=Share(200, 10_000))


def decided(arms: Sequence[Arm], rules: Rules = RULES, *, due: bool = False) -> Decision:
    outcomes = [arm.outcome for arm in arms]
    evidence = Evidence.none(len(arms)).looked(outcomes, rules.tau, rules.alpha)
    return decide(rules, arms, evidence.winner(rules.alpha), due=due)


def test_what_is_shown_wins_at_any_look() -> None:
    for due in (False, True):
        assert decided([BAD, GOOD], due=due) == Decision(State.WON, 1)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"outcome": Share(205, 10_000)}, Reason.NO_DIFFERENCE),
        ({"outcome": Share(273, 9_000)}, Reason.SAMPLE_RATIO),
        ({"planned": 9_000}, Reason.SAMPLE_RATIO),
        ({"opt_outs": Share(60, 10_000)}, Reason.OPT_OUTS_WORSE),
        ({"delivery": Share(9_700, 10_300)}, Reason.DELIVERY_LOWER),
    ],
)
def test_each_rule_alone_stands_in_the_way(change: dict[str, object], reason: Reason) -> None:
    better = msgspec.structs.replace(GOOD, **change)
    assert decided([BAD, better]) == Decision(State.WAITING, None, (reason,))
    assert decided([BAD, better], due=True) == Decision(State.NOT_SHOWN, None, (reason,))


def test_both_have_to_be_large_enough_and_to_have_successes() -> None:
    small = [msgspec.structs.replace(arm, planned=999, outcome=outcome)
             for arm, outcome in ((BAD, Share(100, 999)), (GOOD, Share(300, 999)))]  # fmt: skip
    assert decided(small).reasons == (Reason.TOO_FEW,)
    assert decided(small, Rules(0.005, (1, 1), matured_min=999)).winner == 1
    rare = [msgspec.structs.replace(BAD, outcome=Share(19, 10_000)), GOOD]
    assert Reason.TOO_FEW in decided(rare).reasons
    assert (matured_min(356), matured_min(13_809)) == (1_000, 13_809)


def test_c54_a_difference_that_may_be_noise_names_nobody() -> None:
    """135 and 100 of 5 000: a single usual test would say p = 0.02."""
    arms = [msgspec.structs.replace(arm, planned=5_000, outcome=outcome)
            for arm, outcome in ((GOOD, Share(135, 5_000)), (BAD, Share(100, 5_000)))]  # fmt: skip
    assert decided(arms, due=True) == Decision(State.NOT_SHOWN, None, (Reason.NO_DIFFERENCE,))


def test_c56_thirty_people_are_too_few_to_say() -> None:
    arms = [Arm(15, Share(part, 15), Share(15, 15), Share(0, 15)) for part in (14, 1)]
    found = decided(arms, due=True)
    assert (found.state, found.winner) == (State.NOT_SHOWN, None)
    assert Reason.TOO_FEW in found.reasons


WON, NOT_SHOWN = Decision(State.WON, 1), Decision(State.NOT_SHOWN)


@pytest.mark.parametrize("decision", [Decision(State.WAITING), WON, NOT_SHOWN])
@pytest.mark.parametrize("fallback", list(Fallback))
def test_c53_who_is_in_the_test_keeps_his_arm_whatever_is_decided(
    decision: Decision, fallback: Fallback
) -> None:
    sent = [decision.arm_sent(arm, in_test=True, fallback=fallback) for arm in (0, 1, 2)]
    assert sent == [0, 1, 2]


@pytest.mark.parametrize(
    ("decision", "fallback", "sent"),
    [
        (Decision(State.WAITING), Fallback.SPLIT, (None, None)),
        (WON, Fallback.STOP, (1, 1)),
        (NOT_SHOWN, Fallback.CONTROL, (0, 0)),
        (NOT_SHOWN, Fallback.SPLIT, (0, 1)),
        (NOT_SHOWN, Fallback.STOP, (None, None)),
    ],
)
def test_the_remainder_waits_and_then_gets_what_was_decided(
    decision: Decision, fallback: Fallback, sent: tuple[int | None, ...]
) -> None:
    found = tuple(decision.arm_sent(arm, in_test=False, fallback=fallback) for arm in (0, 1))
    assert found == sent
