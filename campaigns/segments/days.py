"""Days: conditions on dates, instants, ages and days to come, as spans of text.

Owns this arithmetic, with 29 February. Must not know SQL, nor read a clock. Dates and instants are
stored as text that sorts as the calendar does; so each condition becomes spans of such text.
"""

from __future__ import annotations

from calendar import isleap
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from math import inf
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from campaigns.segments.tree import Operator

# Before and behind everything that a date or an instant begins with.
LOWEST: Final = ""
HIGHEST: Final = ":"
_YEARS_MAX: Final = 9_000
_LEAP_YEAR: Final = 2000


class Span(NamedTuple):
    """Whole numbers from `low` on, below `high`."""

    low: float
    high: float


def spans(operator: Operator, operands: Sequence[Decimal | int]) -> list[Span]:
    """The whole numbers for which it is so, ascending and apart."""
    first = operands[0]
    match operator:
        case "<":
            found = [Span(-inf, _up(first))]
        case "<=":
            found = [Span(-inf, _down(first) + 1)]
        case ">":
            found = [Span(_down(first) + 1, inf)]
        case ">=":
            found = [Span(_up(first), inf)]
        case "between":
            found = [Span(_up(first), _down(operands[1]) + 1)]
        case "=" | "in":
            found = _exactly(operands)
        case _:
            found = _but(_exactly(operands))
    return [span for span in found if span.low < span.high]


def _exactly(operands: Sequence[Decimal | int]) -> list[Span]:
    whole = sorted({int(each) for each in operands if each == int(each)})
    return [Span(each, each + 1) for each in whole]


def _but(without: Sequence[Span]) -> list[Span]:
    lows = [-inf, *(span.high for span in without)]
    highs = [*(span.low for span in without), inf]
    return [Span(low, high) for low, high in zip(lows, highs, strict=True)]


def _down(number: Decimal | int) -> int:
    return int(Decimal(number).to_integral_value(ROUND_FLOOR))


def _up(number: Decimal | int) -> int:
    return int(Decimal(number).to_integral_value(ROUND_CEILING))


def days_after(found: Sequence[Span], today: date) -> list[Span]:
    """Numbers of days from today as ordinals of dates."""
    start = today.toordinal()
    return [Span(span.low + start, span.high + start) for span in found]


def births(found: Sequence[Span], today: date) -> list[Span]:
    """Ages in whole years as ordinals of birthdays."""
    return [Span(_last_birth(span.high, today), _last_birth(span.low, today)) for span in found]


def _last_birth(years: float, today: date) -> float:
    """The ordinal behind the last day on which somebody of that age was born."""
    if abs(years) > _YEARS_MAX:
        return -inf if years > 0 else inf
    year = today.year - int(years)
    if year < date.min.year:
        return -inf
    if year > date.max.year:
        return inf
    born = anniversary(today, year).toordinal()
    on_the_28th = (today.month, today.day) == (2, 28) and not isleap(today.year)
    return born + 1 + (on_the_28th and isleap(year))


def anniversary(day: date, year: int) -> date:
    """The day in that year. Of 29 February it is the 28th where there is no such day."""
    try:
        return day.replace(year=year)
    except ValueError:
        return date(year, 2, 28)


def days_to_anniversary(day: date, today: date) -> int:
    """From today, 0 on the day itself, to the next one."""
    coming = anniversary(day, today.year)
    if coming < today:
        coming = anniversary(day, today.year + 1)
    return (coming - today).days


def anniversaries(found: Sequence[Span], today: date) -> list[str]:
    """Each day of a year, as 02-29, to whose next anniversary it is so many days."""
    start = date(_LEAP_YEAR, 1, 1)
    year = [start + timedelta(days=place) for place in range(366)]
    return [
        f"{day:%m-%d}"
        for day in year
        if any(span.low <= days_to_anniversary(day, today) < span.high for span in found)
    ]


def texts(found: Sequence[Span], written: Callable[[date], str]) -> list[tuple[str, str]]:
    """Spans of ordinals as spans of text: low, and what it is below."""
    return [(_text(span.low, written), _text(span.high, written)) for span in found]


def _text(ordinal: float, written: Callable[[date], str]) -> str:
    if ordinal <= date.min.toordinal():
        return LOWEST
    if ordinal >= date.max.toordinal():
        return HIGHEST
    return written(date.fromordinal(int(ordinal)))


def start_of(day: date, zone: ZoneInfo) -> str:
    """The first instant of a day there, as an attribute has it."""
    moment = datetime.combine(day, time(), zone).astimezone(UTC)
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
