"""Frequency caps: how many messages one recipient may be sent in a span of time.

Owns the spans and the verdict. Must not know where sends are kept (frequency.py). Pure: `at` is an
argument.

Spans are rolling: a day is the last 24 hours, a week 7 days, a month 30. So no midnight doubles
what a person gets, and no time zone matters.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
MONTH = "month"
SPANS = (
    ("minute", MINUTE_MS),
    ("hour", HOUR_MS),
    ("day", DAY_MS),
    ("week", 7 * DAY_MS),
    (MONTH, 30 * DAY_MS),
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


def wished(caps: Caps, month: int | None) -> Caps:
    """These caps, and no more in a month than a person wishes; None: no wish."""
    if month is None or (caps.month is not None and caps.month <= month):
        return caps
    return msgspec.structs.replace(caps, month=month)


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
