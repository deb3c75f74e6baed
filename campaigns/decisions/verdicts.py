"""What the figures of an experiment say, in words.

Owns the verdicts and their words. Must not compare arms (campaigns/experiments does). Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from campaigns.decisions.decided import Decided, How
from campaigns.experiments.winner import Decision, Reason


class Verdict(StrEnum):
    """What is shown so far."""

    TOO_FEW = "too_few"
    NO_DIFFERENCE = "no_difference_shown"
    BETTER = "better"
    STOPPED = "stopped"  # the figures cannot be compared


def verdict_of(found: Decision) -> Verdict:
    """Of what the rules say at a look."""
    if found.winner is not None:
        return Verdict.BETTER
    if Reason.SAMPLE_RATIO in found.reasons:
        return Verdict.STOPPED
    return Verdict.TOO_FEW if Reason.TOO_FEW in found.reasons else Verdict.NO_DIFFERENCE


def standing(found: Decision, decided: Decided | None, last: Verdict | None) -> Verdict:
    """What a report says. `found`: by the figures as they are now. `last`: of the last look.

    What was decided stays, whatever the figures become.
    """
    if decided is None:
        return verdict_of(found)
    if decided.how is How.EDITED:
        return Verdict.STOPPED
    if decided.how is How.WON:
        return Verdict.BETTER
    if decided.how is How.FALLBACK and last is not None:
        return last
    return verdict_of(found)


def in_words(verdict: Verdict, arm: int | None, reasons: Sequence[Reason], *, edited: bool) -> str:
    """One line for people. `arm`: the better one. `edited`: a changed text has stopped it."""
    if verdict is Verdict.BETTER:
        return f"arm {arm} is better"
    if verdict is Verdict.TOO_FEW:
        return "too few to say"
    if verdict is Verdict.STOPPED:
        return (
            "stopped: the text of an arm was changed"
            if edited
            else "stopped: the arms are not of the sizes that were planned, and not by chance"
        )
    if Reason.OPT_OUTS_WORSE in reasons:
        return "no difference shown: of the arm that is ahead more people opt out"
    if Reason.DELIVERY_LOWER in reasons:
        return "no difference shown: of the arm that is ahead fewer messages are delivered"
    return "no difference shown"


def at_looks(words: str, taken: int, planned: int, upcoming: int | None) -> str:
    """The same where looks are planned. `taken`: the last one, or 0. `upcoming`: the next one."""
    said = f"{words}, at look {taken} of {planned}" if taken else words
    if upcoming is None:
        return said
    between = "figures between looks" if taken else "figures before it"
    share = round(100 * upcoming / planned)
    return (
        f"{said}. Look {upcoming} of {planned} comes with {share} % of the people, and {between}"
        " decide nothing"
    )
