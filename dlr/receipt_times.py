"""When a carrier says that something was done, and whether to believe it.

Owns the forms in which receipts and answers to queries write a moment (E25, E98). Owns the bounds
within which one is plausible. Must not read a clock. Pure.

A moment without a zone is in the carrier's own. Of an hour that comes twice the first is meant. An
hour that is skipped is read with the offset before it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final

CHARACTERS_MAX: Final = 40
# Dates are cut to the minute, and clocks differ.
BEFORE_SUBMIT_MAX: Final = timedelta(minutes=5)
AFTER_ARRIVAL_MAX: Final = timedelta(days=1)
OFFSET_MAX: Final = timedelta(hours=14)

_NOT_DIGITS = re.compile(r"[^0-9]")
# SMPP 3.4 section 7.1.1: tenths of a second, then quarter hours. Relative times end in R.
_SMPP = re.compile(r"([0-9]{12})[0-9]([0-9]{2})([+-])")
_WITH_ZONE = re.compile(
    r"(?P<when>[0-9]{6,8}T?[0-9]{4,6}"
    r"|[0-9]{2}(?:[0-9]{2})?[-/.][0-9]{2}[-/.][0-9]{2}[T ][0-9:]{4,8})"
    r"(?:[.,][0-9]{1,9})? ?(?:Z|UTC|GMT|(?P<sign>[+-])(?P<hours>[0-9]{2}):?(?P<minutes>[0-9]{2})?)",
    re.IGNORECASE,
)
_FRACTION = re.compile(r"(?<=:[0-9]{2})[.,][0-9]{1,9}\Z")
_RELATIVE = re.compile(r"[0-9]{15}R", re.IGNORECASE)


def parse_date(value: str, zone: tzinfo = UTC) -> datetime | None:
    """A moment in UTC; None for what is none. Without a zone of its own it is in `zone`.

    Read are 10 digits (YYMMDDhhmm), 12 (YYMMDDhhmmss, YYYYMMDDhhmm) and 14, with any separators,
    `Z` or an offset. Read are also SMPP's YYMMDDhhmmsstnnp and ISO 8601.
    """
    if value.isascii() and value.isdigit():
        return _date(value, zone)
    value = value[:CHARACTERS_MAX].strip()
    smpp = _SMPP.fullmatch(value)
    if smpp is not None:
        digits, quarters, sign = smpp.groups()
        return _date(digits, _offset(sign, timedelta(minutes=15 * int(quarters))))
    with_zone = _WITH_ZONE.fullmatch(value)
    if with_zone is not None:
        span = timedelta(hours=int(with_zone["hours"] or 0), minutes=int(with_zone["minutes"] or 0))
        digits = _NOT_DIGITS.sub("", with_zone["when"])
        return _date(digits, _offset(with_zone["sign"] or "+", span))
    if _RELATIVE.fullmatch(value):
        return None
    return _date(_NOT_DIGITS.sub("", _FRACTION.sub("", value)), zone)


def plausible(
    done_at: datetime | None, submitted_at: datetime | None, arrived_at: datetime
) -> datetime | None:
    """The moment that counts: the carrier's own, or the arrival of its word.

    It is the arrival where the carrier's moment is long before the submit, or after the arrival.
    """
    if done_at is None:
        return None
    if done_at > arrived_at + AFTER_ARRIVAL_MAX:
        return arrived_at
    if submitted_at is not None and done_at < submitted_at - BEFORE_SUBMIT_MAX:
        return arrived_at
    return done_at


def _offset(sign: str, span: timedelta) -> timezone | None:
    if span > OFFSET_MAX:
        return None
    return timezone(-span if sign == "-" else span)


def _date(digits: str, zone: tzinfo | None) -> datetime | None:
    if zone is None:
        return None
    if len(digits) == 10:
        return _moment("20" + digits, zone)
    if len(digits) == 12:  # read as YYMMDD…, a year of this century gives no month before 2101
        return _moment("20" + digits, zone) or _moment(digits, zone)
    return _moment(digits, zone) if len(digits) == 14 else None


def _moment(digits: str, zone: tzinfo) -> datetime | None:
    """YYYYMMDDhhmm or YYYYMMDDhhmmss. Ten times faster than strptime."""
    try:
        found = datetime(
            int(digits[:4]),
            int(digits[4:6]),
            int(digits[6:8]),
            int(digits[8:10]),
            int(digits[10:12]),
            int(digits[12:] or 0),
            tzinfo=zone,
        )
        return found if zone is UTC else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
