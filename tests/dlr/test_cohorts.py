"""A cohort is a day's messages that are old enough to be judged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dlr.cohorts import Cohorts
from dlr.rollups.columns import quarter_of
from storage.pool import Connection
from tests.dlr.rolled_rows import Rolled

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


async def test_a_cohort_holds_a_day_that_ended_an_hour_ago(connection: Connection) -> None:
    rolled, cohorts = Rolled(connection), Cohorts()
    await cohorts.read(connection, NOW)
    assert cohorts.rates == {}
    keys = [await rolled.key(connector=7), await rolled.key(connector=7, account=2)]
    for minutes, sent in ((61, 200), (25 * 60, 300), (60, 7), (25 * 60 + 15, 9)):
        for key in keys:
            quarter = quarter_of(NOW - timedelta(minutes=minutes))
            await rolled.cell(quarter, key, accepted=sent, sent=sent, delivered=sent * 9 // 10)
    await rolled.cell(quarter_of(NOW - timedelta(hours=2)), await rolled.key(connector=0), sent=1)
    await cohorts.read(connection, NOW)
    assert set(cohorts.rates) == {7}
    rate = cohorts.rates[7]
    assert (rate.numerator, rate.denominator) == (900, 1000)
    assert rate.low is not None
    assert rate.high is not None
    assert (rate.low, rate.high) == pytest.approx((0.8799, 0.9171), abs=0.0002)
