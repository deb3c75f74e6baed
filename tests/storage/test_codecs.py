"""Values on their way into PostgreSQL and back, over a real connection."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.categories import Category
from storage.codecs import EARLIEST, LATEST, array_text

if TYPE_CHECKING:
    from storage.pool import Connection

MOMENTS = 300
# PostgreSQL's own text form knows no year below 1 and reads no zone beyond 16 hours.
ZONES = st.integers(-15 * 60, 15 * 60).map(lambda m: timezone(timedelta(minutes=m)))
DAYS = timedelta(2)  # no zone takes a moment out of PostgreSQL's years
moments = st.datetimes(
    (EARLIEST + DAYS).replace(tzinfo=None), (LATEST - DAYS).replace(tzinfo=None), timezones=ZONES
)
MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


async def test_json_survives_insert_and_copy(connection: Connection) -> None:
    detail = {"why": ["route", None, 1.5], "号码": "+86"}
    await connection.execute("CREATE TABLE documents (a jsonb, b json)")
    await connection.execute("INSERT INTO documents VALUES ($1, $2)", detail, detail)
    await connection.copy_records_to_table("documents", records=[(detail, detail)])
    rows = await connection.fetch("SELECT a, b FROM documents")
    assert [tuple(row) for row in rows] == [(detail, detail)] * 2
    assert await connection.fetchval("SELECT $1::jsonb ->> '号码'", detail) == "+86"


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("sum(x::bigint) FROM generate_series(1, 3) x", 6),
        ("-7::numeric", -7),
        ("1.50::numeric", Decimal("1.50")),
        ("(10::numeric ^ 30)::numeric(40, 0)", 10**30),
    ],
)
async def test_a_whole_numeric_is_an_int(
    connection: Connection, sql: str, value: int | Decimal
) -> None:
    result = await connection.fetchval(f"SELECT {sql}")
    assert (result, type(result)) == (value, type(value))


async def test_moments_arrive_as_postgresql_reads_them_and_come_back(
    connection: Connection,
) -> None:
    """In any zone, by every way in: parameter, array, COPY."""
    sent = _many(moments)
    await connection.execute("CREATE TABLE moments (number int, at timestamptz)")
    await connection.copy_records_to_table("moments", records=list(enumerate(sent)))
    rows = await connection.fetch(
        "SELECT moments.at, asked.at AS from_array, asked.written::timestamptz AS from_text"
        " FROM unnest($1::timestamptz[], $2::text[]) WITH ORDINALITY AS asked (at, written, number)"
        " JOIN moments ON moments.number = asked.number - 1 ORDER BY moments.number",
        sent,
        [moment.isoformat() for moment in sent],
    )
    assert [tuple(row) for row in rows] == [(moment,) * 3 for moment in sent]
    assert {row["at"].tzinfo for row in rows} == {UTC}
    assert await connection.fetchval("SELECT $1::timestamptz", sent[0]) == sent[0]


def _many(strategy: st.SearchStrategy[datetime]) -> list[datetime]:
    """Examples for one round trip: one connection belongs to one event loop."""
    found: list[datetime] = []

    @settings(max_examples=1, database=None)
    @given(st.lists(strategy, min_size=MOMENTS, max_size=MOMENTS))
    def draw(examples: list[datetime]) -> None:
        found[:] = examples

    draw()
    return found


@pytest.mark.parametrize(
    "numbers", [[], [7], [-(1 << 63), (1 << 63) - 1, 0], [Category.OTP, Category.MARKETING]]
)
async def test_numbers_as_the_text_of_an_array(connection: Connection, numbers: list[int]) -> None:
    assert await connection.fetchval("SELECT $1::text::bigint[]", array_text(numbers)) == numbers


@pytest.mark.parametrize(("moment", "written"), [(LATEST, "infinity"), (EARLIEST, "-infinity")])
async def test_the_ends_of_time_are_infinities(
    connection: Connection, moment: datetime, written: str
) -> None:
    assert await connection.fetchval("SELECT $1::timestamptz::text", moment) == written
    assert await connection.fetchval(f"SELECT '{written}'::timestamptz") == moment


async def test_n1_the_two_hours_of_a_night_in_autumn_are_not_taken_for_one_another(
    connection: Connection,
) -> None:
    """They compare equal, so that what is remembered of one would be found for the other."""
    first = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    second = first.replace(fold=1)
    for moment in (first, second, first):
        stored = await connection.fetchval("SELECT $1::timestamptz", moment)
        assert stored == moment.astimezone(UTC)


@pytest.mark.parametrize("value", [MOMENT.replace(tzinfo=None), MOMENT.date(), 5, "now"])
async def test_what_is_no_moment_is_refused(connection: Connection, value: object) -> None:
    with pytest.raises(asyncpg.DataError):
        await connection.fetchval("SELECT $1::timestamptz", value)
    assert await connection.fetchval("SELECT 1") == 1
