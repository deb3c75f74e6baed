"""Frequency caps: how many messages one recipient may be sent in a span of time.

Owns the spans, whose caps there are, and the verdict of all of them together. Must not know where
sends are kept (frequency.py). Pure: `at` is an argument.

Spans are rolling: a day is the last 24 hours, a week 7 days, a month 30. So no midnight doubles
what a person gets, and no time zone matters.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
SPANS = (
    ("minute", MINUTE_MS),
    ("hour", HOUR_MS),
    ("day", DAY_MS),
    ("week", 7 * DAY_MS),
    ("month", 30 * DAY_MS),
)
KEPT_MS = 30 * DAY_MS  # no span looks further back
GAP = "gap"


class Caps(msgspec.Struct, frozen=True, gc=False):
    """Messages to one number in each span; None: any number. `gap_seconds` between two of them."""

    minute: int | None = None
    hour: int | None = None
    day: int | None = None
    week: int | None = None
    month: int | None = None
    gap_seconds: int = 0

    def __bool__(self) -> bool:
        return self != NO_CAPS


NO_CAPS = Caps()


class Rule(StrEnum):
    """Whose caps they are, by the name that decisions and timelines have."""

    WISH = "preference_cap"  # the person's own
    GROUP = "group_cap"  # of a group that they are in
    ENGAGEMENT = "engagement_cap"  # by what they do with messages
    ACCOUNT = "frequency_cap"  # everybody's
    GAP = "frequency_gap"  # the account's, between two messages


class Ruled(msgspec.Struct, frozen=True, gc=False):
    """Caps of one rule. `group`: the name of the group, where it is one's."""

    rule: Rule
    caps: Caps
    group: str = ""


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """The span that is full, or `gap`, and until when, in ms since the epoch."""

    span: str
    until: int


def refusal(caps: Caps, sends: Sequence[int], at: int) -> Refusal | None:
    """Why one more at `at` is too many, given when the others went; None if it may go.

    A full span ends a message, so it is named before the gap, which only delays one.
    """
    for name, length in SPANS:
        limit: int | None = getattr(caps, name)
        if limit is None:
            continue
        inside = sorted(send for send in sends if send > at - length)
        if len(inside) >= limit:
            # A limit of 0 is never free again, as far as can be told at `at`.
            return Refusal(name, (inside[-limit] if limit else at) + length)
    if caps.gap_seconds and sends:
        free = max(sends) + caps.gap_seconds * 1000
        if at < free:
            return Refusal(GAP, free)
    return None


class TooMany(msgspec.Struct, frozen=True, gc=False):
    """One more is too many: by which rule, in which span or within the gap, until when in ms."""

    rule: Rule
    span: str
    until: int
    group: str = ""

    @property
    def delays(self) -> bool:
        """Whether it only has to wait."""
        return self.span == GAP

    @property
    def why(self) -> str:
        """In words."""
        if self.delays:
            return "too soon after the last one"
        if self.rule is Rule.WISH:
            return f"as many as the recipient wishes in a {self.span}"
        if self.rule is Rule.GROUP:
            return f"as many as a {self.span} allows in the group {self.group}"
        if self.rule is Rule.ENGAGEMENT:
            return f"as many as a {self.span} allows for what the recipient does with them"
        return f"as many as a {self.span} allows"


def strictest(asked: Sequence[Ruled], sends: Sequence[int], at: int) -> TooMany | None:
    """Why one more at `at` is too many by any of these; None if all let it go.

    Of several rules the one is named that holds the longest; of those alike the first. A full span
    comes before a gap, which only delays.
    """
    found: TooMany | None = None
    for each in asked:
        refused = refusal(each.caps, sends, at)
        if refused is None:
            continue
        rule = Rule.GAP if refused.span == GAP else each.rule
        new = TooMany(rule, refused.span, refused.until, each.group)
        if found is None or (found.delays, -found.until) > (new.delays, -new.until):
            found = new
    return found
