"""Days off by country, as they were announced, and what is not known."""

from __future__ import annotations

from datetime import date

import pytest

from campaigns.running.days_off import DaysOff
from campaigns.running.windows import Day


@pytest.mark.parametrize(
    ("country", "day", "kind"),
    [
        ("CN", "2026-10-01", Day.HOLIDAY),
        ("CN", "2026-10-07", Day.HOLIDAY),
        ("CN", "2026-10-08", Day.WORK),
        ("CN", "2026-10-10", Day.WORK),  # a Saturday that is worked instead
        ("CN", "2026-10-11", Day.WEEKEND),
        ("CN", "2026-02-17", Day.HOLIDAY),  # new year by the moon
        ("CN", "2026-11-30", Day.WORK),
        ("DE", "2026-10-03", Day.HOLIDAY),
        ("DE", "2026-10-02", Day.WORK),
        ("US", "2026-11-26", Day.HOLIDAY),
        ("HK", "2026-07-01", Day.HOLIDAY),
        ("AE", "2026-11-28", Day.WEEKEND),
        ("AE", "2026-11-27", Day.WORK),  # a Friday
    ],
)
def test_a_day_is_what_it_is_there(country: str, day: str, kind: Day) -> None:
    days = DaysOff()
    assert days.of(country, date.fromisoformat(day)) is kind
    assert days.unknown == set()


@pytest.mark.parametrize("country", ["CN", "XX", None])
def test_of_a_year_that_nobody_knows_only_weekends_count_and_that_is_told(
    country: str | None,
) -> None:
    days = DaysOff()
    assert days.of(country, date(2199, 1, 1)) is Day.WORK  # a Tuesday
    assert days.of(country, date(2199, 1, 5)) is Day.WEEKEND
    assert days.unknown == {(country or "", 2199)}
    assert not days.knows(country, 2199)
    assert days.knows(country, 2026) == (country == "CN")
