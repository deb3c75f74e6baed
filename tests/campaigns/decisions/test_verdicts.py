"""What figures say in words, and that a decision outlives them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from campaigns.decisions.decided import Decided, How
from campaigns.decisions.verdicts import Verdict, at_looks, in_words, standing, verdict_of
from campaigns.experiments.winner import Decision, Reason, State

NOW = datetime(2026, 11, 10, tzinfo=UTC)
FEW = Decision(State.WAITING, None, (Reason.TOO_FEW, Reason.NO_DIFFERENCE))
NONE = Decision(State.NOT_SHOWN, None, (Reason.NO_DIFFERENCE,))
RATIO = Decision(State.WAITING, None, (Reason.TOO_FEW, Reason.SAMPLE_RATIO))
WON = Decision(State.WON, 1)


@pytest.mark.parametrize(
    ("found", "verdict", "words"),
    [
        (FEW, Verdict.TOO_FEW, "too few to say"),
        (NONE, Verdict.NO_DIFFERENCE, "no difference shown"),
        (WON, Verdict.BETTER, "arm 1 is better"),
        (RATIO, Verdict.STOPPED, "stopped: the arms are not of the sizes that were planned"),
        (
            Decision(State.WAITING, None, (Reason.OPT_OUTS_WORSE,)),
            Verdict.NO_DIFFERENCE,
            "no difference shown: of the arm that is ahead more people opt out",
        ),
        (
            Decision(State.WAITING, None, (Reason.DELIVERY_LOWER,)),
            Verdict.NO_DIFFERENCE,
            "no difference shown: of the arm that is ahead fewer messages are delivered",
        ),
    ],
)
def test_a_look_says_one_of_four_things(found: Decision, verdict: Verdict, words: str) -> None:
    assert verdict_of(found) is verdict
    assert in_words(verdict, found.winner, found.reasons, edited=False).startswith(words)


@pytest.mark.parametrize(
    ("how", "last", "found", "stands"),
    [
        (How.WON, Verdict.BETTER, NONE, Verdict.BETTER),
        (How.FALLBACK, Verdict.TOO_FEW, WON, Verdict.TOO_FEW),
        (How.EDITED, None, WON, Verdict.STOPPED),
        (How.BY_HAND, None, FEW, Verdict.TOO_FEW),
    ],
)
def test_c53_what_was_decided_stays_whatever_the_figures_become(
    how: How, last: Verdict | None, found: Decision, stands: Verdict
) -> None:
    """C53: later figures take nobody's arm away."""
    decided = Decided(at=NOW, how=how, arm=1, by="job")
    assert standing(found, decided, last) is stands
    assert standing(found, None, last) is verdict_of(found)


def test_a_changed_text_is_named() -> None:
    assert "text of an arm was changed" in in_words(Verdict.STOPPED, None, (), edited=True)


def test_where_looks_are_planned_it_is_said_which_one_has_shown_it() -> None:
    assert at_looks("arm 1 is better", 2, 5, None) == "arm 1 is better, at look 2 of 5"
    assert at_looks("no difference shown", 1, 3, 2) == (
        "no difference shown, at look 1 of 3. Look 2 of 3 comes with 67 % of the people, and"
        " figures between looks decide nothing"
    )
    assert at_looks("too few to say", 0, 5, None) == "too few to say"
