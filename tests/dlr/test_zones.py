"""Days and hours of named zones: exact in quarter-hours, whatever clocks do (G10-G14)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlr.rollups.columns import quarter_of, start_of_quarter
from dlr.zones import (
    UNITS,
    ZoneNotQuarterly,
    ZoneUnknown,
    day_edge,
    edges,
    zone_named,
)

DAY = timedelta(days=1)
ZONES = sorted(available_timezones() - {"localtime", "Factory"})


def clock_of(name: str) -> tuple[timedelta | None, ...]:
    """Its offset every third day of these years: most names are another's."""
    zone = ZoneInfo(name)
    began = datetime(2026, 1, 1, tzinfo=UTC)
    return tuple((began + days * DAY).astimezone(zone).utcoffset() for days in range(0, 730, 3))


def at(text: str) -> int:
    return quarter_of(datetime.fromisoformat(text).replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("zone", "day", "starts", "quarters"),
    [
        ("Europe/Berlin", date(2026, 3, 29), "2026-03-28T23:00", 92),
        ("Europe/Berlin", date(2026, 10, 25), "2026-10-24T22:00", 100),
        ("Australia/Lord_Howe", date(2026, 4, 5), "2026-04-04T13:00", 98),
        ("Asia/Kolkata", date(2026, 12, 1), "2026-11-30T18:30", 96),
        ("Asia/Kathmandu", date(2026, 12, 1), "2026-11-30T18:15", 96),
        ("UTC", date(2026, 12, 1), "2026-12-01T00:00", 96),
        # No midnight: the clock goes from 23:59 to 01:00.
        ("Africa/Cairo", date(2026, 4, 24), "2026-04-23T22:00", 92),
        ("America/Havana", date(2026, 3, 8), "2026-03-08T05:00", 92),
        ("America/Santiago", date(2026, 9, 6), "2026-09-06T04:00", 92),
    ],
)
def test_g10_g12_g14_a_day_runs_from_its_first_instant_to_the_next(
    zone: str, day: date, starts: str, quarters: int
) -> None:
    found = zone_named(zone)
    start = day_edge(found, day)
    assert start == at(starts)
    assert day_edge(found, day + DAY) - start == quarters
    [edge] = edges(found, "day", start, start + quarters)
    assert (edge.label, edge.quarter) == (day.isoformat(), start)


def test_g13_an_hour_that_comes_twice_is_two_and_one_that_is_skipped_is_none() -> None:
    berlin = zone_named("Europe/Berlin")
    autumn = day_edge(berlin, date(2026, 10, 25))
    labels = [edge.label for edge in edges(berlin, "hour", autumn, autumn + 100)]
    assert len(labels) == len(set(labels)) == 25
    assert labels[2:4] == ["2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00"]
    spring = day_edge(berlin, date(2026, 3, 29))
    labels = [edge.label for edge in edges(berlin, "hour", spring, spring + 92)]
    assert len(labels) == 23
    assert labels[1:3] == ["2026-03-29T01:00:00+01:00", "2026-03-29T03:00:00+02:00"]


def test_g13_a_clock_that_is_moved_by_half_an_hour_cuts_its_hour() -> None:
    zone = zone_named("Australia/Lord_Howe")
    start = day_edge(zone, date(2026, 4, 5))
    found = edges(zone, "hour", start, start + 98)
    assert [edge.label for edge in found[1:4]] == [
        "2026-04-05T01:00:00+11:00",
        "2026-04-05T01:30:00+10:30",
        "2026-04-05T02:00:00+10:30",
    ]
    assert [edge.quarter - start for edge in found[1:4]] == [4, 8, 10]


def test_weeks_begin_on_monday() -> None:
    zone = zone_named("Asia/Shanghai")
    found = edges(zone, "week", at("2026-11-25T00:00"), at("2026-12-08T00:00"))
    assert [edge.label for edge in found] == ["2026-11-23", "2026-11-30", "2026-12-07"]
    assert start_of_quarter(found[1].quarter).isoformat() == "2026-11-29T16:00:00+00:00"


@given(
    st.sampled_from(ZONES),
    st.sampled_from(UNITS),
    st.integers(at("2024-01-01T00:00"), at("2027-12-01T00:00")),
    st.integers(1, 400),
)
def test_g11_units_follow_one_another_without_gap_and_each_quarter_is_in_one(
    name: str, unit: str, since: int, length: int
) -> None:
    zone = zone_named(name)
    found = edges(zone, unit, since, since + length)
    quarters = [edge.quarter for edge in found]
    assert quarters[0] <= since < since + length
    assert quarters == sorted(set(quarters))
    assert quarters[-1] < since + length
    assert len({edge.label for edge in found}) == len(found)
    # Asked in two pieces they are the same units.
    middle = since + length // 2
    pieces = [*edges(zone, unit, since, middle), *edges(zone, unit, middle, since + length)]
    assert sorted({edge.quarter for edge in pieces}) == quarters


def test_g12_the_days_of_two_years_are_whole_in_every_zone() -> None:
    start, end = at("2026-01-02T00:00"), at("2028-01-01T00:00")
    for name in {clock_of(name): name for name in ZONES}.values():
        quarters = [edge.quarter for edge in edges(zone_named(name), "day", start, end)]
        lengths = {after - before for before, after in pairwise(quarters)}
        # Troll changes by two hours, Lord Howe by half an hour, others by one or never.
        assert lengths <= {88, 92, 94, 96, 98, 100, 104}, name


@pytest.mark.parametrize(
    "name",
    [
        "", "Mars/Olympus", "../etc/passwd", "Zürich", "a" * 65, "\0", "Asia",
        # The system has such files, and neither PostgreSQL nor another machine knows them.
        "localtime", "posixrules", "posix/Asia/Shanghai", "right/Asia/Shanghai",
    ],
)  # fmt: skip
def test_what_is_no_zone(name: str) -> None:
    with pytest.raises(ZoneUnknown):
        zone_named(name)


def test_a_zone_that_is_not_whole_quarters_from_utc_is_refused() -> None:
    """Liberia until 1972, as a zone of today: 44 minutes and a half behind."""
    footer = b"\n<-004430>0:44:30\n"
    header = b"TZif2" + bytes(15)
    counts = (0).to_bytes(4, "big") * 4 + (1).to_bytes(4, "big") + (4).to_bytes(4, "big")
    local_type = (-2670).to_bytes(4, "big", signed=True) + bytes(2)
    body = header + counts + local_type + b"LMT\0"
    odd = ZoneInfo.from_file(BytesIO(body + body + footer), key="Africa/Monrovia")
    for unit in UNITS:
        with pytest.raises(ZoneNotQuarterly, match="Monrovia"):
            edges(odd, unit, at("2026-01-01T00:00"), at("2026-01-02T00:00"))


def test_a_span_of_nothing_has_no_units() -> None:
    assert edges(zone_named("UTC"), "day", 5, 5) == []
