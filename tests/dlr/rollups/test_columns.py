"""Quarters and days are numbered one way, and the tables have the columns that code names."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlr.rollups.columns import (
    ATTEMPT_COUNTS,
    COUNTS,
    day_of,
    ids_of_day,
    quarter_of,
    quarter_of_id,
    start_of_day,
    start_of_quarter,
)
from storage.ids import EPOCH, id_at

if TYPE_CHECKING:
    from storage.pool import Connection

SECONDS_MAX = 60 * 365 * 86_400  # of what ids can hold
MOMENTS = st.integers(0, SECONDS_MAX).map(lambda seconds: EPOCH + timedelta(seconds=seconds))


def test_a_quarter_and_a_day_are_counted_from_1970() -> None:
    moment = datetime(2026, 12, 1, 0, 16, tzinfo=UTC)
    assert quarter_of(moment) == int(moment.timestamp()) // 900
    assert day_of(quarter_of(moment)) == int(moment.timestamp()) // 86_400


@given(MOMENTS)
def test_an_id_is_in_the_quarter_and_the_day_of_its_moment(moment: datetime) -> None:
    quarter = quarter_of(moment)
    identifier = id_at(moment)
    assert quarter_of_id(identifier) == quarter
    assert start_of_quarter(quarter) <= moment < start_of_quarter(quarter + 1)
    first, end = ids_of_day(day_of(quarter))
    assert first <= identifier < end
    assert start_of_day(day_of(quarter)) + timedelta(days=1) == start_of_day(day_of(quarter) + 1)


@pytest.mark.parametrize(
    ("table", "keys", "counts"),
    [
        ("rollup_cell", ("quarter", "key"), COUNTS),
        ("rollup_day", ("day", "key"), COUNTS),
        ("rollup_tag", ("quarter", "account", "category", "tag"), COUNTS),
        ("rollup_attempt", ("quarter", "account", "category", "connector"), ATTEMPT_COUNTS),
    ],
)
async def test_tables_have_the_columns_that_are_named(
    connection: Connection, table: str, keys: tuple[str, ...], counts: tuple[str, ...]
) -> None:
    statement = await connection.prepare(f"SELECT * FROM {table}")
    assert tuple(each.name for each in statement.get_attributes()) == (*keys, *counts)
