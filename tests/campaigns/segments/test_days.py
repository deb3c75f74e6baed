"""The arithmetic of days, against counting day by day."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.segments import days
from campaigns.segments.days import Span
from tests.campaigns.segments import oracle

DAYS = st.dates(date(1900, 1, 1), date(2100, 12, 31)) | st.sampled_from(
    [date(2000, 2, 29), date(2024, 2, 29), date(2023, 2, 28), date(2023, 3, 1), date(1900, 2, 28)]
)
NUMBERS = st.decimals(-40, 120, places=1) | st.integers(-5, 110).map(Decimal)


def within(number: float, found: list[Span]) -> bool:
    return any(span.low <= number < span.high for span in found)


@given(whole=st.integers(-6, 6), operands=st.lists(st.decimals(-5, 5, places=1), min_size=1))
def test_spans_hold_the_whole_numbers_for_which_it_is_so(
    whole: int, operands: list[Decimal]
) -> None:
    first = operands[0]
    for sign in ("=", "!=", "<", "<=", ">", ">="):
        found = days.spans(sign, operands[:1])
        assert within(whole, found) == oracle.COMPARISONS[sign](whole, first)
    assert within(whole, days.spans("in", operands)) == (whole in operands)
    assert within(whole, days.spans("not in", operands)) == (whole not in operands)
    low, high = sorted([first, operands[-1]])
    assert within(whole, days.spans("between", [low, high])) == (low <= whole <= high)
    found = days.spans("not in", operands)
    assert all(left.high <= right.low for left, right in pairwise(found))


@given(born=DAYS, today=DAYS, years=NUMBERS, sign=st.sampled_from(["=", "<", ">=", ">", "!="]))
def test_c17_c18_an_age_is_a_span_of_birthdays(
    born: date, today: date, years: Decimal, sign: str
) -> None:
    found = days.births(days.spans(sign, [years]), today)  # type: ignore[arg-type]
    expected = oracle.COMPARISONS[sign](oracle.age(born, today), years)
    assert within(born.toordinal(), found) == expected
    as_text = days.texts(found, date.isoformat)
    assert any(low <= born.isoformat() < high for low, high in as_text) == expected


@given(born=DAYS, today=DAYS)
def test_c17_c18_days_to_a_birthday_are_counted_day_by_day(born: date, today: date) -> None:
    number = oracle.to_birthday(born, today)
    assert days.days_to_anniversary(born, today) == number
    for wanted in (number - 1, number, number + 1):
        found = days.anniversaries(days.spans("=", [wanted]), today)
        assert (f"{born:%m-%d}" in found) == (wanted == number)


def test_c18_the_29th_of_february_comes_on_the_28th_where_there_is_none() -> None:
    born = date(2004, 2, 29)
    assert days.anniversary(born, 2027) == date(2027, 2, 28)
    assert days.anniversary(born, 2028) == date(2028, 2, 29)
    of_age = days.spans(">=", [18])
    for today, is_so in ((date(2022, 2, 27), False), (date(2022, 2, 28), True)):
        assert within(born.toordinal(), days.births(of_age, today)) == is_so


def test_ends_of_the_calendar_are_open() -> None:
    today = date(2026, 11, 30)
    for sign, number in ((">=", "1" + "0" * 30), ("<", "-1" + "0" * 30)):
        for found in (
            days.births(days.spans(sign, [Decimal(number)]), today),  # type: ignore[arg-type]
            days.days_after(days.spans(sign, [Decimal(number)]), today),  # type: ignore[arg-type]
        ):
            texts = days.texts(found, date.isoformat)
            assert not any(low <= "2026-11-30" < high for low, high in texts)
    assert days.texts([Span(float("-inf"), float("inf"))], date.isoformat) == [("", ":")]


@pytest.mark.parametrize(
    ("zone", "day", "start"),
    [
        ("Asia/Shanghai", date(2026, 11, 11), "2026-11-10T16:00:00.000Z"),
        ("America/New_York", date(2026, 3, 9), "2026-03-09T04:00:00.000Z"),
        # Midnight is left out there that day, and comes twice there that day.
        ("America/Asuncion", date(2024, 10, 6), "2024-10-06T04:00:00.000Z"),
        ("America/Havana", date(2026, 11, 1), "2026-11-01T04:00:00.000Z"),
    ],
)
def test_a_day_starts_with_its_first_instant(zone: str, day: date, start: str) -> None:
    assert days.start_of(day, ZoneInfo(zone)) == start
    before = days.start_of(day - timedelta(days=1), ZoneInfo(zone))
    assert before < start
