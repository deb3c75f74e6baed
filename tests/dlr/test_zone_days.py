"""Units counted by whole days: each quarter ends up where it belongs."""

from __future__ import annotations

from bisect import bisect
from collections import Counter
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlr.rollups.columns import QUARTERS_PER_DAY, quarter_of
from dlr.zone_days import by_days, fits
from dlr.zones import edges

FIRST = quarter_of(datetime(2026, 3, 20, tzinfo=UTC))
DAYS = st.integers(0, 250)
ZONES = st.sampled_from([
    "UTC", "Asia/Kolkata", "Asia/Shanghai", "Asia/Kathmandu", "Europe/Berlin", "Europe/London",
    "Africa/Cairo", "Australia/Lord_Howe", "Pacific/Kiritimati", "Pacific/Marquesas",
    "America/Havana", "Atlantic/Azores",
])  # fmt: skip


@given(ZONES, st.sampled_from(["day", "week"]), DAYS, st.integers(1, 30), st.data())
def test_every_quarter_is_counted_once_and_in_its_unit(
    zone: str, unit: str, after: int, length: int, data: st.DataObject
) -> None:
    since = FIRST + after * QUARTERS_PER_DAY
    until = since + length * QUARTERS_PER_DAY
    units = [each.quarter for each in edges(ZoneInfo(zone), unit, since, until)]
    assert fits(units)
    day = since // QUARTERS_PER_DAY
    first = data.draw(st.integers(day, day + length))
    end = data.draw(st.integers(first, day + length))
    plan = by_days(units, (first, end))
    counted: Counter[int] = Counter()
    for quarter in range(since, until):
        whole = first <= quarter // QUARTERS_PER_DAY < end
        label = quarter // QUARTERS_PER_DAY * QUARTERS_PER_DAY if whole else quarter
        place = bisect(plan.edges, label)
        if quarter in plan.moved:
            counted[place] += 1
            counted[bisect(plan.edges, quarter // QUARTERS_PER_DAY * QUARTERS_PER_DAY)] -= 1
            place = bisect(units, quarter)
        counted[place] += 1
    assert +counted == Counter(bisect(units, quarter) for quarter in range(since, until))
    assert len(plan.moved) <= (end - first) * QUARTERS_PER_DAY // 2


@pytest.mark.parametrize("unit", ["hour", "quarter_hour"])
def test_hours_do_not_fit(unit: str) -> None:
    found = edges(ZoneInfo("UTC"), unit, FIRST, FIRST + QUARTERS_PER_DAY)
    assert not fits([each.quarter for each in found])
