"""Hours of local time, the zones they are meant in, and the first moment that suits them all.

Owns the arithmetic of send windows and quiet hours, on days of clock changes too. Must not know
numbers, accounts or settings. Pure: moments in, moments out.

Hours are open or shut by the clock on the wall. On a day without 02:30, hours from 02:30 open when
the clock jumps past it. On a day with two of them, they open twice.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo

import msgspec

DAY_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EVERY_DAY = 0b111_1111
MINUTES_PER_DAY = 1440
SEARCH_DAYS = 8  # hours repeat weekly; one day more for clock changes
HORIZON = timedelta(days=SEARCH_DAYS)

_DAY = timedelta(days=1)
_CLOCK = re.compile(r"(?:([01][0-9]|2[0-3]):([0-5][0-9])|24:00)", re.ASCII)
_SPAN = re.compile(r"([0-9:]+)-([0-9:]+)", re.ASCII)


class Hours(msgspec.Struct, frozen=True, gc=False):
    """From `start` up to, not including, `end`, in minutes after midnight (0 to 1 440).

    `days`: bit 0 is Monday. An `end` that is not after `start` is one of the next day.
    """

    start: int
    end: int
    days: int = EVERY_DAY

    def open_at(self, local: datetime) -> bool:
        """Whether these hours are open when the wall clock says `local`."""
        minute = local.hour * 60 + local.minute
        today = self.days >> local.weekday() & 1
        if self.start < self.end:
            return bool(today) and self.start <= minute < self.end
        yesterday = self.days >> (local.weekday() - 1) % 7 & 1
        return bool(today and minute >= self.start) or bool(yesterday and minute < self.end)

    @property
    def others(self) -> Hours:
        """The rest of every day, for hours that are the same every day."""
        if self.days != EVERY_DAY:
            raise ValueError("only hours of every day have others")
        return Hours(self.end % MINUTES_PER_DAY, self.start or MINUTES_PER_DAY)


Rule = tuple[Hours, Sequence[tzinfo]]


def parse_clock(text: str) -> int:
    """`"08:30"` in minutes after midnight; `"24:00"` ends a day. Raises ValueError."""
    match = _CLOCK.fullmatch(text)
    if match is None:
        raise ValueError('a time such as "08:30", from 00:00 to 24:00')
    return MINUTES_PER_DAY if match[1] is None else int(match[1]) * 60 + int(match[2])


def parse_hours(start: str, end: str, days: int = EVERY_DAY) -> Hours:
    """Hours between two times of the clock. Raises ValueError that says what would be right."""
    first, last = parse_clock(start), parse_clock(end)
    if first == MINUTES_PER_DAY:
        first = 0
    if first == last:
        raise ValueError("two times that differ")
    return Hours(first, last, days)


def parse_span(text: str) -> Hours:
    """`"21:00-08:00"`, every day. Raises ValueError that says what would be right."""
    match = _SPAN.fullmatch(text)
    if match is None:
        raise ValueError('hours such as "21:00-08:00"')
    hours = parse_hours(match[1], match[2])
    if (hours.start, hours.end) == (0, MINUTES_PER_DAY):
        raise ValueError('hours that leave some of the day, such as "21:00-08:00"')
    return hours


def first_moment(at: datetime, rules: Sequence[Rule]) -> datetime | None:
    """The first moment from `at` on at which all hours are open in all of their zones.

    None if there is none within HORIZON.
    """
    last = at + HORIZON
    moment = at
    while moment <= last:
        later = moment
        for hours, zones in rules:
            for zone in zones:
                opened = next_open(later, hours, zone)
                if opened is None:
                    return None
                later = opened
        if later == moment:
            return moment
        moment = later
    return None


def next_open(at: datetime, hours: Hours, zone: tzinfo) -> datetime | None:
    """The first moment from `at` on at which these hours are open in this zone."""
    local = at.astimezone(zone)
    if hours.open_at(local):
        return at
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0, tzinfo=None)
    first = midnight + timedelta(minutes=hours.start)
    candidates: set[datetime] = set()
    for days in range(-1, SEARCH_DAYS + 1):
        wall = first + days * _DAY
        for fold in (0, 1):
            candidates.add(wall.replace(tzinfo=zone, fold=fold).astimezone(UTC))
        changed = _clock_change(wall.replace(tzinfo=zone).astimezone(UTC), zone)
        if changed is not None:
            candidates.add(changed)
    for moment in sorted(candidates):
        if moment > at and hours.open_at(moment.astimezone(zone)):
            return moment.astimezone(at.tzinfo)
    return None


def _clock_change(around: datetime, zone: tzinfo) -> datetime | None:
    """The moment within a day of `around` at which this zone's clocks change, to the second."""
    before, after = around - _DAY, around + _DAY
    offset = before.astimezone(zone).utcoffset()
    if after.astimezone(zone).utcoffset() == offset:
        return None
    while after - before > timedelta(seconds=1):
        middle = (before + (after - before) / 2).replace(microsecond=0)
        if middle <= before:
            break
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)
