"""Whether a campaign may go on, by what became of its messages so far.

Owns the bounds, and the reasons for a pause in words. Must not count messages, nor pause anything.
Pure.

A bound is crossed when the whole of Wilson's interval lies behind it: few messages prove nothing.
A canary is let through when the interval reaches the bound, which is the same question.
"""

from __future__ import annotations

from datetime import timedelta

import msgspec

from dlr.rates import wilson

DELIVERY_MIN = 0.95
UNSUBSCRIBED_MAX = 0.02
FILTERED_MAX = 0.02  # of verdicts: a carrier stops this sender or this text
JUDGED_MIN = 200
CANARY_VERDICTS = 0.9  # so many of it have their verdict,
CANARY_WAIT = timedelta(minutes=30)  # or so much time is over since
CANARY_WAITING_MAX = 0.1  # no more of it wait for their hours, a rate or a connector,
CANARY_SENT_MIN = 50  # or so many went, which show what is grossly wrong


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Of a campaign's messages. `verdicts`: delivered or failed for good, by the carrier's word."""

    accepted: int = 0
    sent: int = 0
    delivered: int = 0
    verdicts: int = 0
    filtered: int = 0  # of the verdicts
    unsubscribed: int = 0
    complaints: int = 0


def crossed(counts: Counts, judged_min: int = JUDGED_MIN) -> list[str]:
    """Each bound that the counts prove crossed, in words; of fewer than `judged_min` none is."""
    found = []
    if counts.verdicts >= judged_min:
        _, high = wilson(counts.delivered, counts.verdicts)
        if high < DELIVERY_MIN:
            found.append(
                f"delivery: {counts.delivered} of {counts.verdicts}, at most {high:.3f} with"
                f" confidence, below {DELIVERY_MIN}"
            )
        low, _ = wilson(counts.filtered, counts.verdicts)
        if low > FILTERED_MAX:
            found.append(
                f"filtered: {counts.filtered} of {counts.verdicts}, at least {low:.3f} with"
                f" confidence, above {FILTERED_MAX}: carriers stop the sender or the text"
            )
    if counts.sent >= judged_min:
        low, _ = wilson(min(counts.unsubscribed, counts.sent), counts.sent)
        if low > UNSUBSCRIBED_MAX:
            found.append(
                f"opt-outs: {counts.unsubscribed} of {counts.sent}, at least {low:.3f} with"
                f" confidence, above {UNSUBSCRIBED_MAX}"
            )
    return found


def canary_begun(counts: Counts, waiting: int) -> bool:
    """Whether the canary's time runs. `waiting`: messages of it that did not go, and tell nothing.

    The first few would let all others follow. Where each waits for the own hour, not all are waited
    for.
    """
    return _gone(counts, waiting) or counts.sent >= CANARY_SENT_MIN


def canary_ripe(counts: Counts, waiting: int, waited: timedelta) -> bool:
    """Whether the canary can be judged. `waited`: since its time runs."""
    if waited >= CANARY_WAIT:
        return True
    told = counts.sent > 0 and counts.verdicts >= CANARY_VERDICTS * counts.sent
    return told and _gone(counts, waiting)


def _gone(counts: Counts, waiting: int) -> bool:
    return waiting <= CANARY_WAITING_MAX * counts.accepted


def canary_faults(counts: Counts) -> list[str]:
    """Why the others must not follow; empty: they may."""
    found = crossed(counts, judged_min=1)
    if counts.complaints:
        found.append(f"complaints: {counts.complaints} in the canary")
    if not counts.verdicts:
        found.append("nothing of the canary has a verdict")
    return found
