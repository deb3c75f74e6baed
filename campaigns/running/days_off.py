"""Which days are worked, by country: weekends, public holidays, weekends worked instead.

Owns the reading of two data sets: `chinese_calendar`, which has the State Council's swaps, for
China; `holidays` for the other countries. Of a year that they do not have only weekends are known,
and that is told. Must not decide who is texted then (windows.py), nor read a clock.
"""

from __future__ import annotations

from datetime import date

import chinese_calendar
import holidays
from holidays.holiday_base import HolidayBase

from campaigns.running.windows import Day

CHINA = "CN"
DAYS_KEPT_MAX = 20_000


class DaysOff:
    """Days by country, of one process. `unknown`: (country, year) that was asked for and is in no
    data set; the country "" is one that nobody knows.
    """

    def __init__(self) -> None:
        self.unknown: set[tuple[str, int]] = set()
        self._countries: dict[str, HolidayBase | None] = {}
        self._days: dict[tuple[str, date], Day] = {}

    def of(self, country: str | None, day: date) -> Day:
        """What this day is there. `country`: ISO 3166, None if nobody knows."""
        key = (country or "", day)
        found = self._days.get(key)
        if found is None:
            if len(self._days) >= DAYS_KEPT_MAX:
                self._days.clear()
            found = self._days[key] = self._looked_up(*key)
        return found

    def knows(self, country: str | None, year: int) -> bool:
        """Whether the days off of this year are known there."""
        self.of(country, date(year, 1, 1))
        return (country or "", year) not in self.unknown

    def _looked_up(self, country: str, day: date) -> Day:
        found = _in_china(day) if country == CHINA else self._elsewhere(country, day)
        if found is not None:
            return found
        self.unknown.add((country, day.year))
        return Day.WEEKEND if day.weekday() >= 5 else Day.WORK

    def _elsewhere(self, country: str, day: date) -> Day | None:
        if country not in self._countries:
            try:
                self._countries[country] = holidays.country_holidays(country)
            except NotImplementedError:  # no country of this data set
                self._countries[country] = None
        calendar = self._countries[country]
        if calendar is None or not calendar.start_year <= day.year <= calendar.end_year:
            return None
        if calendar.is_working_day(day):
            return Day.WORK
        return Day.HOLIDAY if day in calendar else Day.WEEKEND


def _in_china(day: date) -> Day | None:
    try:
        off, name = chinese_calendar.get_holiday_detail(day)
    except NotImplementedError:  # not announced yet, or before the first year of the data
        return None
    if not off:
        return Day.WORK
    return Day.WEEKEND if name is None else Day.HOLIDAY
