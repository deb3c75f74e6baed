"""Hours in which a campaign's messages may go: an industry's, within those of its providers.

Owns the presets and the choice among several spans of a day. Must not know quiet hours: the
accepter asks them of each message, by the recipient's clock, and they win. Pure.

A message carries one span. So of several the one is taken that opens first for its recipient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from types import MappingProxyType

import msgspec

from recipients.hours import DAY_NAMES, EVERY_DAY, MINUTES_PER_DAY, Hours, next_open

WORKDAYS, WEEKEND = 0b001_1111, 0b110_0000


def _hours(start: float, end: float, days: int = EVERY_DAY) -> Hours:
    return Hours(int(start * 60), int(end * 60), days)


PRESETS: Mapping[str, tuple[Hours, ...]] = MappingProxyType(
    {
        "retail": (_hours(18, 20), _hours(10, 20, WEEKEND)),
        "finance": (_hours(10, 12, WORKDAYS),),
        "catering": (_hours(11, 12), _hours(16.5, 17.5)),
        "office": (_hours(7.5, 9.5, WORKDAYS), _hours(17.5, 19.5, WORKDAYS)),
        "young": (_hours(18, 22), _hours(10, 22, WEEKEND)),
    }
)


class Window(msgspec.Struct, frozen=True):
    """Spans of hours by the clock of `zone`; None: by the recipient's own."""

    spans: tuple[Hours, ...]
    zone: str | None = None


def within(spans: Sequence[Hours], providers: Sequence[tuple[int, int]]) -> tuple[Hours, ...]:
    """The spans, cut to hours (minutes of the day) that every provider takes. Empty: none is left.

    A span over midnight is two.
    """
    pieces = [piece for span in spans for piece in same_day(span)]
    for first, last in providers:
        pieces = [
            Hours(max(first, piece.start), min(last, piece.end), piece.days)
            for piece in pieces
            if max(first, piece.start) < min(last, piece.end)
        ]
    return tuple(pieces)


def same_day(span: Hours) -> tuple[Hours, ...]:
    """The same hours, each piece of them within one day."""
    if span.start < span.end:
        return (span,)
    next_days = (span.days << 1 | span.days >> 6) & EVERY_DAY
    night = Hours(span.start, MINUTES_PER_DAY, span.days)
    return (night, Hours(0, span.end, next_days)) if span.end else (night,)


def choose(spans: Sequence[Hours], at: datetime, zone: tzinfo) -> Hours:
    """The span that is open at this moment, or opens first behind it. `spans` must not be empty."""
    opens = [(next_open(at, span, zone), place) for place, span in enumerate(spans)]
    found = [(moment, place) for moment, place in opens if moment is not None]
    return spans[min(found)[1]] if found else spans[0]


def request_of(span: Hours, zone: str | None) -> dict[str, object]:
    """A span as the field `send_window` of a message has it."""
    return {
        "from": _clock(span.start),
        "to": _clock(span.end),
        "days": [name for bit, name in enumerate(DAY_NAMES) if span.days >> bit & 1],
        "tz": zone or "recipient",
    }


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
