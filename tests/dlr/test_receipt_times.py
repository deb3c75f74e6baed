"""When a carrier says that something was done: its forms, zones, and what is not believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlr.ledger import apply_receipts, insert_submissions
from dlr.receipt_rows import ReceiptRow
from dlr.receipt_times import AFTER_ARRIVAL_MAX, BEFORE_SUBMIT_MAX, parse_date, plausible
from storage.pool import Connection
from tests.dlr.rows import World

SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")
MOMENTS = st.integers(1_262_304_000, 3_786_912_000).map(  # 2010 to 2090
    lambda seconds: datetime.fromtimestamp(seconds, UTC)
)
QUARTERS = st.integers(-48, 48)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2401011203", datetime(2024, 1, 1, 12, 3, tzinfo=UTC)),
        ("240101120345", datetime(2024, 1, 1, 12, 3, 45, tzinfo=UTC)),
        ("202401011203", datetime(2024, 1, 1, 12, 3, tzinfo=UTC)),
        ("20240101120345", datetime(2024, 1, 1, 12, 3, 45, tzinfo=UTC)),
        ("2024-01-01 12:03:45", datetime(2024, 1, 1, 12, 3, 45, tzinfo=UTC)),
        ("2024-01-01T12:03:45.125", datetime(2024, 1, 1, 12, 3, 45, tzinfo=UTC)),
        ("", None),
        ("0000000000", None),
        ("2413011203", None),
        ("24010112", None),
        ("²⁴⁰¹⁰¹¹²⁰³", None),
    ],
)
def test_dates(value: str, expected: datetime | None) -> None:  # E25
    assert parse_date(value) == expected


@pytest.mark.parametrize(
    ("value", "zone", "expected"),
    [
        ("2611292300", SHANGHAI, datetime(2026, 11, 29, 15, 0, tzinfo=UTC)),
        ("180711070000012+", UTC, datetime(2018, 7, 11, 4, 0, tzinfo=UTC)),
        ("180711070000012+", SHANGHAI, datetime(2018, 7, 11, 4, 0, tzinfo=UTC)),
        ("180711070000912-", UTC, datetime(2018, 7, 11, 10, 0, tzinfo=UTC)),
        ("2018-07-11T07:00:00+03:00", SHANGHAI, datetime(2018, 7, 11, 4, 0, tzinfo=UTC)),
        ("2018-07-11 07:00 -0330", UTC, datetime(2018, 7, 11, 10, 30, tzinfo=UTC)),
        ("2018-07-11T07:00:00.5Z", SHANGHAI, datetime(2018, 7, 11, 7, 0, tzinfo=UTC)),
        ("2018-07-11 07:00:00 utc", SHANGHAI, datetime(2018, 7, 11, 7, 0, tzinfo=UTC)),
        ("20180711T070000Z", SHANGHAI, datetime(2018, 7, 11, 7, 0, tzinfo=UTC)),
        ("1807110700+03", SHANGHAI, datetime(2018, 7, 11, 4, 0, tzinfo=UTC)),
        ("2018-07-11 07:00:00", SHANGHAI, datetime(2018, 7, 10, 23, 0, tzinfo=UTC)),
        ("2607010200", BERLIN, datetime(2026, 7, 1, 0, 0, tzinfo=UTC)),  # summer
        ("2612010200", BERLIN, datetime(2026, 12, 1, 1, 0, tzinfo=UTC)),
        ("2610250230", BERLIN, datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),  # the first of two
        ("2603290230", BERLIN, datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),  # skipped
        ("180711070000099+", UTC, None),  # no zone has 24 hours
        ("000000000500000R", UTC, None),  # relative
        ("00010101000000", SHANGHAI, None),
    ],
)
def test_e98_a_date_is_in_its_own_zone_or_in_the_carriers(
    value: str, zone: tzinfo, expected: datetime | None
) -> None:
    assert parse_date(value, zone) == expected


@given(MOMENTS, QUARTERS, st.sampled_from([UTC, SHANGHAI, BERLIN]))
def test_e98_a_date_with_an_offset_means_one_moment_whatever_the_carriers_zone(
    moment: datetime, quarters: int, zone: tzinfo
) -> None:
    there = moment.astimezone(timezone(timedelta(minutes=15 * quarters)))
    smpp = f"{there:%y%m%d%H%M%S}0{abs(quarters):02d}{'-' if quarters < 0 else '+'}"
    for written in (smpp, there.isoformat(), f"{there:%Y-%m-%d %H:%M:%S %z}"):
        assert parse_date(written, zone) == moment


@given(st.text(alphabet="0123456789+-:TZR./ ,utcgm²", max_size=60), st.sampled_from([UTC, BERLIN]))
def test_e98_no_date_raises_and_each_one_read_is_in_utc(value: str, zone: tzinfo) -> None:
    found = parse_date(value, zone)
    assert found is None or found.utcoffset() == timedelta(0)


@given(MOMENTS, st.timedeltas(-timedelta(days=400), timedelta(days=400)))
def test_e98_what_is_far_from_submit_and_arrival_is_not_believed(
    submitted_at: datetime, delta: timedelta
) -> None:
    arrived_at = submitted_at + timedelta(seconds=9)
    done_at = submitted_at + delta
    believed = -BEFORE_SUBMIT_MAX <= delta <= AFTER_ARRIVAL_MAX + timedelta(seconds=9)
    assert plausible(done_at, submitted_at, arrived_at) is (done_at if believed else arrived_at)
    assert plausible(None, submitted_at, arrived_at) is None


@pytest.mark.parametrize(
    ("delta", "believed"),
    [
        (timedelta(minutes=-5), True),
        (timedelta(minutes=-5, seconds=-1), False),
        (timedelta(hours=8), True),
        (timedelta(days=1), True),
        (timedelta(days=1, seconds=1), False),
        (timedelta(days=73 * 365), False),  # `9912312359`
    ],
)
async def test_e98_the_arrival_is_stored_for_a_date_that_is_not_believed(
    connection: Connection, delta: timedelta, believed: bool
) -> None:
    world = World()
    row = world.part("1")
    await insert_submissions(connection, [row])
    receipt: ReceiptRow = world.receipt("1")
    receipt.done_at = world.now + delta
    [told] = await apply_receipts(connection, [receipt], world.ids)
    assert told.date_believed is believed
    stored = await connection.fetchval("SELECT done_at FROM submission")
    assert stored == (receipt.done_at if believed else receipt.received_at)
