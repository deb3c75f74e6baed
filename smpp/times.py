"""Owns the SMPP time format, ``YYMMDDhhmmsstnnp`` (E70): datetimes and timedeltas to it and back.

Must not read a clock. SMPP 3.4 section 7.1.1.

Absolute times are written in UTC, so no reader has to understand quarter hours. Relative ones use
days and less, since nobody agrees how long the format's months and years are. aiosmpplib's
functions are not used. They read the year 2026 as 26, and write every zone west of Greenwich wrong.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Final

RELATIVE_DAYS_MAX: Final = 31
_CENTURY: Final = 2000  # two-digit years; the protocol is younger than that century's turn
_SECONDS_PER_DAY: Final = 86_400
_RELATIVE_RANGE: Final = f"a relative time is above 0 and at most {RELATIVE_DAYS_MAX} days"
_DAYS_PER_YEAR: Final = 365
_DAYS_PER_MONTH: Final = 30
_TENTH_MICROSECONDS: Final = 100_000
_QUARTER_HOUR: Final = timedelta(minutes=15)
_QUARTER_HOURS_MAX: Final = 48
_FORMAT: Final = re.compile(rb"([0-9]{2})" * 6 + rb"([0-9])([0-9]{2})([-+R])\0?")


class TimeError(ValueError):
    """Not a time in this format, or a time that the format cannot express."""


def absolute(moment: datetime) -> bytes:
    """``moment`` as 16 octets in UTC, tenths of a second cut off.

    Raises TimeError for a naive datetime and for years outside 2001...2098.
    """
    if moment.tzinfo is None:
        raise TimeError("a time without zone means another moment to each reader")
    if not _CENTURY < moment.year < _CENTURY + 99:  # a zone moves it by a year at most
        raise TimeError(f"the year {moment.year} has no safe two-digit form")
    moment = moment.astimezone(UTC)
    tenth = moment.microsecond // _TENTH_MICROSECONDS
    return f"{moment:%y%m%d%H%M%S}{tenth}00+".encode("ascii")


def relative(span: timedelta) -> bytes:
    """``span`` as 16 octets, rounded up to whole seconds.

    Raises TimeError outside 0 < ``span`` <= 31 days: send longer ones as absolute times.
    """
    if not timedelta(0) < span <= timedelta(days=RELATIVE_DAYS_MAX):
        raise TimeError(_RELATIVE_RANGE)
    return relative_seconds(-(-span // timedelta(seconds=1)))


@lru_cache(maxsize=256)
def absolute_seconds(seconds: int) -> bytes:
    """As `absolute`, for whole seconds since 1970."""
    return absolute(datetime.fromtimestamp(seconds, UTC))


# Messages of one campaign end at the same moment. Remembering it makes one 45 times cheaper.
@lru_cache(maxsize=256)
def relative_seconds(seconds: int) -> bytes:
    """As `relative`, for whole seconds."""
    if not 0 < seconds <= RELATIVE_DAYS_MAX * _SECONDS_PER_DAY:
        raise TimeError(_RELATIVE_RANGE)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    day, hour = divmod(hours, 24)
    return b"0000%02d%02d%02d%02d000R" % (day, hour, minute, second)


def parse(octets: bytes) -> datetime | timedelta | None:
    """The moment (aware, in the zone that was sent) or the span; None for the empty string.

    A seventeenth octet is accepted if it is the NUL that some peers count in. A month is read as 30
    days, a year as 365. Raises TimeError for anything else.
    """
    if octets in (b"", b"\0"):
        return None
    match = _FORMAT.fullmatch(octets)
    if match is None:
        raise TimeError("not YYMMDDhhmmsstnnp")
    year, month, day, hour, minute, second, tenth, quarters = map(int, match.groups()[:8])
    if match[9] == b"R":
        days = year * _DAYS_PER_YEAR + month * _DAYS_PER_MONTH + day
        return timedelta(days=days, hours=hour, minutes=minute, seconds=second)
    if quarters > _QUARTER_HOURS_MAX:
        raise TimeError(f"{quarters} quarter hours is no zone")
    offset = quarters * _QUARTER_HOUR
    zone = timezone(-offset if match[9] == b"-" else offset)
    micro = tenth * _TENTH_MICROSECONDS
    try:
        return datetime(_CENTURY + year, month, day, hour, minute, second, micro, zone)
    except ValueError as error:
        raise TimeError(str(error)) from error
