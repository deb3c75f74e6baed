"""SMPP times both ways (E70)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smpp.times import RELATIVE_DAYS_MAX, TimeError, absolute, parse, relative

zones = st.integers(-48, 48).map(lambda quarters: timezone(timedelta(minutes=15 * quarters)))
moments = st.datetimes(datetime(2001, 1, 1), datetime(2098, 12, 31), timezones=zones)  # noqa: DTZ001 - hypothesis wants naive bounds


@given(moments)
def test_e70_absolute_times_keep_the_moment_to_the_tenth(moment: datetime) -> None:
    octets = absolute(moment)
    assert len(octets) == 16
    tenth = moment.microsecond // 100_000 * 100_000
    assert parse(octets) == moment.replace(microsecond=tenth)


@given(moments)
def test_e70_quarter_hour_zones_of_peers_are_understood(moment: datetime) -> None:
    offset = moment.utcoffset() or timedelta(0)
    sign, quarters = ("-", -offset) if offset < timedelta(0) else ("+", offset)
    octets = (
        f"{moment:%y%m%d%H%M%S}{moment.microsecond // 100_000}"
        f"{quarters // timedelta(minutes=15):02d}{sign}"
    ).encode()
    expected = moment.replace(microsecond=moment.microsecond // 100_000 * 100_000)
    found = parse(octets)
    assert found == expected
    assert isinstance(found, datetime)
    assert found.utcoffset() == offset


@given(st.timedeltas(timedelta(microseconds=1), timedelta(days=RELATIVE_DAYS_MAX)))
def test_e70_relative_times_keep_the_span_rounded_up_to_a_second(span: timedelta) -> None:
    octets = relative(span)
    assert len(octets) == 16
    found = parse(octets)
    assert isinstance(found, timedelta)
    assert timedelta(0) <= found - span < timedelta(seconds=1)


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (b"", None),
        (b"\0", None),
        (b"000002000000000R", timedelta(days=2)),
        (b"000007120030000R", timedelta(days=7, hours=12, seconds=30)),
        (b"010101000000000R", timedelta(days=365 + 30 + 1)),
        (b"261130235959900+", datetime(2026, 11, 30, 23, 59, 59, 900_000, UTC)),
        (b"261130235959932+\0", datetime(2026, 11, 30, 15, 59, 59, 900_000, UTC)),
        (b"260101000000020-", datetime(2026, 1, 1, 5, 0, 0, 0, UTC)),
    ],
)
def test_e70_golden_times(octets: bytes, expected: datetime | timedelta | None) -> None:
    assert parse(octets) == expected


@pytest.mark.parametrize(
    "octets",
    [
        b"2611302359599",
        b"26113023595999900+",
        b"261130235959900",
        b"261330235959900+",
        b"260230000000000+",
        b"260101000000049+",
        b"260101000000000Z",
        b"26010100000000 +",
        "２６".encode(),
    ],
)
def test_e70_what_is_no_time_is_refused(octets: bytes) -> None:
    with pytest.raises(TimeError):
        parse(octets)


@given(st.one_of(st.binary(max_size=18), st.from_regex(rb"[0-9]{15}[-+R]\0?", fullmatch=True)))
@settings(max_examples=200)
def test_e70_nothing_raises_anything_but_time_error(octets: bytes) -> None:
    try:
        found = parse(octets)
    except TimeError as error:
        assert str(error)
    else:
        assert found is None or isinstance(found, datetime | timedelta)


def test_e70_what_the_format_cannot_say_is_refused() -> None:
    with pytest.raises(TimeError, match="zone"):
        absolute(datetime(2026, 1, 1))  # noqa: DTZ001 - the case
    for moment in (
        datetime(1999, 1, 1, tzinfo=UTC),
        datetime(2100, 1, 1, tzinfo=UTC),
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-12))),
    ):
        with pytest.raises(TimeError, match="year"):
            absolute(moment)
    for span in (timedelta(0), timedelta(days=-1), timedelta(days=31, seconds=1)):
        with pytest.raises(TimeError, match="relative"):
            relative(span)
