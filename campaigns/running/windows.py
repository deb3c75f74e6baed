"""Hours in which a campaign's messages may go: an industry's, within those of its providers.

Owns the presets, the days on which they are open, and the choice among several spans of a day. Must
not know quiet hours: the accepter asks them of each message, by the recipient's clock, and they
win. Pure: what a day is where the recipient lives is told.

A message carries one span. So of several the one is taken that opens first for its recipient. The
days of a span are those of the week that begins now. So a holiday is left out, and a weekend that
is worked is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from enum import Enum
from types import MappingProxyType
from typing import Literal

import msgspec

from recipients.hours import DAY_NAMES, EVERY_DAY, MINUTES_PER_DAY, Hours, next_open

WORKDAYS, WEEKEND = 0b001_1111, 0b110_0000
WEEKS_AHEAD_MAX = 4  # for a day on which somebody may be texted
HolidayRule = Literal["skip", "send", "only"]
_WEEK = 7


class Day(Enum):
    """What a day is where somebody lives."""

    WORK = "work"  # also a weekend that is worked instead of another day
    WEEKEND = "weekend"
    HOLIDAY = "holiday"


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
    """Spans of hours by the clock of `zone`; None: by the recipient's own.

    `preset`: workdays and weekends are those of the recipient's country, as people work there.
    `holidays`: what a public holiday there means; None: what the preset says.
    """

    spans: tuple[Hours, ...]
    zone: str | None = None
    preset: bool = False
    holidays: HolidayRule | None = None

    @property
    def dated(self) -> bool:
        """Whether it depends on what a day is, and not on its name alone."""
        if self.holidays in ("skip", "only"):
            return True
        by_work = any(span.days != EVERY_DAY for span in self.spans)
        return self.preset and by_work and self.holidays is None


class Opening(msgspec.Struct, frozen=True):
    """A span with the days of one week on which it is open. `at`: when it opens, or now.

    `begins`: when that week does; None: now.
    """

    span: Hours
    at: datetime
    begins: datetime | None = None


Days = Callable[[date], Day]


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


def opening(window: Window, at: datetime, zone: tzinfo, days: Days) -> Opening | None:
    """The span that is open at this moment, or opens first, on a day that suits the window.

    None: there is no such day for weeks. `days` is asked of a window that is `dated` alone.
    """
    if not window.dated:
        span = choose(window.spans, at, zone)
        return Opening(span, next_open(at, span, zone) or at)
    local = at.astimezone(zone)
    for week in range(WEEKS_AHEAD_MAX + 1):
        first = local.date() + timedelta(days=_WEEK * week)
        clock = None if week else local
        dated = (_of_week(window, span, first, clock, days) for span in window.spans)
        spans = [span for span in dated if span is not None]
        if spans:
            begins = datetime.combine(first, time(), zone) if week else None
            span = choose(spans, begins or at, zone)
            return Opening(span, next_open(begins or at, span, zone) or at, begins)
    return None


def _of_week(
    window: Window, span: Hours, first: date, local: datetime | None, days: Days
) -> Hours | None:
    """The span with the days of the week from `first` on; None: with none of them.

    `local`: what the clock says on the first of them. If the span is over then, the week begins
    with the next day.
    """
    if local is not None and span.start < span.end <= local.hour * 60 + local.minute:
        first += timedelta(days=1)
    week = [first + timedelta(days=n) for n in range(_WEEK)]
    mask = sum(1 << day.weekday() for day in week if _suits(window, span, day, days(day)))
    return Hours(span.start, span.end, mask) if mask else None


def _suits(window: Window, span: Hours, day: date, kind: Day) -> bool:
    named = bool(span.days >> day.weekday() & 1)
    if window.holidays == "only":
        return kind is Day.HOLIDAY and (named or window.preset)
    if window.holidays == "skip" and kind is Day.HOLIDAY:
        return False
    if window.preset and window.holidays != "send" and span.days != EVERY_DAY:
        return (kind is Day.WORK) == (span.days == WORKDAYS)
    return named


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
