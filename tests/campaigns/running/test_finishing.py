"""When a campaign is through: rate, spread, hours and days off together."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.running.finishing import Clock, finish_at
from campaigns.running.windows import PRESETS, Day, Window
from recipients.hours import Hours

SHANGHAI = ZoneInfo("Asia/Shanghai")
QUIET = Hours(21 * 60, 8 * 60)
FINANCE = Window(PRESETS["finance"], None, preset=True)


def weekly(day: date) -> Day:
    return Day.WEEKEND if day.weekday() >= 5 else Day.WORK


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("window", "quiet", "begins", "work_hours", "spread_hours", "ends"),
    [
        (None, None, "2026-11-10T09:00", 3, 0, "2026-11-10T12:00"),
        (None, None, "2026-11-10T09:00", 1, 4, "2026-11-10T13:00"),
        (None, QUIET, "2026-11-10T20:00", 3, 0, "2026-11-11T10:00"),
        (FINANCE, QUIET, "2026-11-10T09:00", 1, 0, "2026-11-10T11:00"),
        (FINANCE, QUIET, "2026-11-10T09:00", 3, 0, "2026-11-11T11:00"),
        (FINANCE, QUIET, "2026-11-13T11:00", 2, 0, "2026-11-16T11:00"),  # from Friday to Monday
        (FINANCE, None, "2026-11-10T09:00", 1, 4, "2026-11-11T10:00"),  # the last slot waits
    ],
)
def test_work_is_done_while_the_hours_are_open(
    window: Window | None, quiet: Hours | None, begins: str, work_hours: float,
    spread_hours: float, ends: str,
) -> None:  # fmt: skip
    clock = Clock(window, quiet, SHANGHAI, weekly)
    work, spread = timedelta(hours=work_hours), timedelta(hours=spread_hours)
    assert finish_at(at(begins), work, spread, clock) == at(ends)


def test_what_takes_years_or_is_never_open_has_no_end() -> None:
    clock = Clock(FINANCE, None, SHANGHAI, weekly)
    assert finish_at(at("2026-11-10T09:00"), timedelta(days=400), timedelta(0), clock) is None
    never = Clock(Window((Hours(22 * 60, 23 * 60),)), QUIET, SHANGHAI, weekly)
    assert finish_at(at("2026-11-10T09:00"), timedelta(hours=1), timedelta(0), never) is None


@given(
    minutes=st.integers(0, 366 * 1440),
    work=st.integers(0, 20_000),
    more=st.integers(1, 500),
    zone=st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "Australia/Lord_Howe"]),
)
def test_more_work_never_ends_earlier(minutes: int, work: int, more: int, zone: str) -> None:
    begins = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    clock = Clock(Window(PRESETS["retail"]), QUIET, ZoneInfo(zone), weekly)
    ends = [
        finish_at(begins, timedelta(seconds=each), timedelta(0), clock)
        for each in (work, work + more)
    ]
    assert ends[0] is not None
    assert ends[1] is not None
    assert begins + timedelta(seconds=work) <= ends[0] <= ends[1]
