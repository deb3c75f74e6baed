"""Hours of local time: open or shut by the wall clock, on the days clocks change as on others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipients.hours import (
    HORIZON,
    Hours,
    first_moment,
    next_open,
    parse_clock,
    parse_hours,
    parse_span,
)

SHANGHAI, BERLIN, NEW_YORK = map(ZoneInfo, ("Asia/Shanghai", "Europe/Berlin", "America/New_York"))
ZONES = [
    SHANGHAI, BERLIN, NEW_YORK,
    *map(ZoneInfo, ("Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "America/Sao_Paulo")),
]  # fmt: skip
NIGHT = parse_span("21:00-08:00")
BY_DAY = NIGHT.others


def local(zone: ZoneInfo, *fields: int, fold: int = 0) -> datetime:
    """A moment of the wall clock there, in UTC."""
    return datetime(*fields, tzinfo=zone, fold=fold).astimezone(UTC)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ((2026, 7, 1, 20, 59), (2026, 7, 1, 20, 59)),
        ((2026, 7, 1, 21, 0), (2026, 7, 2, 8, 0)),
        ((2026, 7, 2, 7, 59), (2026, 7, 2, 8, 0)),
        ((2026, 7, 2, 8, 0), (2026, 7, 2, 8, 0)),
    ],
)
def test_quiet_hours_end_in_the_morning(asked: tuple[int, ...], answered: tuple[int, ...]) -> None:
    moment = first_moment(local(SHANGHAI, *asked), [(BY_DAY, [SHANGHAI])])
    assert moment == local(SHANGHAI, *answered)


def test_e89_the_morning_is_that_of_the_day_clocks_change() -> None:
    """Berlin, 29 March 2026: the night is an hour short; 25 October: an hour long."""
    rules = [(BY_DAY, [BERLIN])]
    spring = first_moment(local(BERLIN, 2026, 3, 28, 22, 0), rules)
    assert spring == local(BERLIN, 2026, 3, 29, 8, 0) == datetime(2026, 3, 29, 6, tzinfo=UTC)
    autumn = first_moment(local(BERLIN, 2026, 10, 24, 22, 0), rules)
    assert autumn == local(BERLIN, 2026, 10, 25, 8, 0) == datetime(2026, 10, 25, 7, tzinfo=UTC)


def test_e89_hours_that_begin_in_the_missing_hour_open_when_the_clock_jumps() -> None:
    hours = parse_hours("02:30", "04:00")
    before = local(BERLIN, 2026, 3, 29, 1, 0)
    assert next_open(before, hours, BERLIN) == datetime(2026, 3, 29, 1, tzinfo=UTC)  # 03:00 there
    missing = parse_hours("02:10", "02:50")  # not there at all that day
    assert next_open(before, missing, BERLIN) == local(BERLIN, 2026, 3, 30, 2, 10)


def test_e89_hours_in_the_doubled_hour_open_twice() -> None:
    hours = parse_hours("02:10", "02:20")
    first = local(BERLIN, 2026, 10, 25, 2, 10)
    again = local(BERLIN, 2026, 10, 25, 2, 10, fold=1)
    assert next_open(first - timedelta(hours=1), hours, BERLIN) == first
    assert next_open(first + timedelta(minutes=10), hours, BERLIN) == again
    assert again - first == timedelta(hours=1)


def test_e89_several_zones_are_open_together_or_not_at_all() -> None:
    coasts = [NEW_YORK, ZoneInfo("America/Los_Angeles")]
    asked = local(NEW_YORK, 2026, 7, 1, 8, 30)
    assert first_moment(asked, [(BY_DAY, coasts)]) == local(coasts[1], 2026, 7, 1, 8, 0)
    apart = [SHANGHAI, NEW_YORK]
    assert first_moment(asked, [(parse_hours("09:00", "12:00"), apart)]) is None


def test_a_window_of_days_and_quiet_hours_together() -> None:
    weekend = Hours(18 * 60, 2 * 60, 0b110_0000)  # Saturday and Sunday, 18:00 to 02:00
    rules = [(weekend, [SHANGHAI]), (BY_DAY, [SHANGHAI])]
    monday_after_midnight = local(SHANGHAI, 2026, 7, 6, 1, 0)
    assert next_open(monday_after_midnight, weekend, SHANGHAI) == monday_after_midnight
    assert first_moment(monday_after_midnight, rules) == local(SHANGHAI, 2026, 7, 11, 18, 0)


HOURS = st.builds(Hours, st.integers(0, 1439), st.integers(1, 1440), st.integers(1, 127)).filter(
    lambda hours: hours.start != hours.end
)
AROUND_CHANGES = st.sampled_from(
    [(2026, 3, 8), (2026, 3, 29), (2026, 4, 5), (2026, 10, 4), (2026, 10, 25), (2026, 11, 1)]
).flatmap(
    lambda day: st.integers(-2880, 2880).map(
        lambda minutes: datetime(*day, tzinfo=UTC) + timedelta(minutes=minutes)
    )
)


@given(AROUND_CHANGES, st.lists(st.tuples(HOURS, st.sampled_from(ZONES)), min_size=1, max_size=3))
def test_the_first_moment_is_the_one_a_minute_by_minute_search_finds(
    at: datetime, rules: list[tuple[Hours, ZoneInfo]]
) -> None:
    found = first_moment(at, [(hours, [zone]) for hours, zone in rules])
    end = found or at + timedelta(days=2)
    for minutes in range(int((min(end, at + timedelta(days=2)) - at) / timedelta(minutes=1))):
        moment = at + timedelta(minutes=minutes)
        assert not all(hours.open_at(moment.astimezone(zone)) for hours, zone in rules)
    if found is not None:
        assert at <= found
        assert all(hours.open_at(found.astimezone(zone)) for hours, zone in rules)


@given(AROUND_CHANGES, HOURS, st.sampled_from(ZONES))
def test_hours_of_every_day_and_the_others_share_the_day(
    at: datetime, hours: Hours, zone: ZoneInfo
) -> None:
    daily = Hours(hours.start, hours.end)
    if (daily.start, daily.end) != (0, 1440):
        here = at.astimezone(zone)
        assert daily.open_at(here) != daily.others.open_at(here)
        opened = next_open(at, daily, zone)
        assert opened is not None
        assert opened <= at + HORIZON


@pytest.mark.parametrize(
    "text", ["8:00-21:00", "21:00", "25:00-08:00", "08:00-08:00", "٠٨:00-09:00"]
)
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"time|hours"):
        parse_span(text)


def test_a_day_ends_at_24() -> None:
    assert parse_clock("24:00") == 1440
    assert parse_span("00:00-06:00").others == Hours(360, 1440)
    with pytest.raises(ValueError, match="leave some of the day"):
        parse_span("00:00-24:00")
