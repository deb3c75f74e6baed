"""Hours, days and weeks as a named time zone has them, cut on quarter-hours of UTC.

Owns the arithmetic. Must not count messages, and must not ask what time it is. Pure.

Rollups are kept by quarter-hour. Every offset of today is a whole number of them, so a day of any
zone is exact. A day runs from its first instant to the first of the next day. When a clock changes
it has 92, 98 or 100 quarters, and it need not have a midnight.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from dlr.rollups.columns import QUARTERS_PER_DAY, quarter_of, start_of_quarter

UNITS = ("quarter_hour", "hour", "day", "week")
ZONE_CHARACTERS_MAX = 64
EDGES_MAX = 100_000

# Files beside the zones: this machine's own, and copies. PostgreSQL knows none of them; in those of
# `right/` leap seconds are counted.
_NO_NAMES = ("localtime", "posixrules", "posix/", "right/")
_REACH = 16  # quarters: no clock is moved farther than 4 hours


class ZoneUnknown(ValueError):
    """The time zone database has no such name."""


class ZoneNotQuarterly(ValueError):
    """The zone's offset from UTC is no whole number of quarter-hours then."""


class Edge(msgspec.Struct, frozen=True):
    """Where a unit begins; `quarter` is numbered as in dlr/rollups.

    `label` is its date, of a week its Monday's. Of hours and quarters it is the first instant with
    its offset, so that an hour that comes twice has two labels.
    """

    label: str
    quarter: int


def zone_named(name: str) -> ZoneInfo:
    """The zone of an IANA name. Raises ZoneUnknown."""
    if not name or len(name) > ZONE_CHARACTERS_MAX or not name.isascii():
        raise ZoneUnknown(name)
    if name.startswith(_NO_NAMES):
        raise ZoneUnknown(name)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ZoneUnknown(name) from error


def day_edge(zone: ZoneInfo, day: date) -> int:
    """The quarter with which this date begins in this zone; of a date that the zone skips, that of
    the next one. Raises ZoneNotQuarterly.
    """
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
    first = quarter_of(midnight) - _REACH
    for quarter in range(first, first + 2 * _REACH + QUARTERS_PER_DAY):
        if _local(zone, quarter).date() >= day:
            return quarter
    raise ZoneNotQuarterly(f"{zone.key}: {day} has no beginning")


def edges(zone: ZoneInfo, unit: str, since: int, until: int) -> Sequence[Edge]:
    """The units of UNITS that hold the quarters [since, until), in order: the first one begins at
    `since` or before.

    Raises ZoneNotQuarterly, and ValueError for more than EDGES_MAX.
    """
    if since >= until:
        return []
    _hold_to_quarters(zone, since, until)
    found: list[Edge] = []
    next_edge = _UNITS[unit]
    quarter = _first(zone, unit, since)
    while quarter < until:
        if len(found) == EDGES_MAX:
            raise ValueError(f"more than {EDGES_MAX} {unit}s")
        found.append(Edge(_label(zone, unit, quarter), quarter))
        quarter = next_edge(zone, quarter)
    return found


def _local(zone: ZoneInfo, quarter: int) -> datetime:
    """The local time of a quarter's first instant. Raises ZoneNotQuarterly."""
    local = start_of_quarter(quarter).astimezone(zone)
    if local.minute % 15 or local.second:
        raise ZoneNotQuarterly(f"{zone.key} is {local:%z} from UTC then")
    return local


def _hold_to_quarters(zone: ZoneInfo, since: int, until: int) -> None:
    for quarter in (*range(since, until, QUARTERS_PER_DAY), until):
        _local(zone, quarter)


def _first(zone: ZoneInfo, unit: str, quarter: int) -> int:
    """Where the unit begins that holds this quarter."""
    local = _local(zone, quarter)
    if unit == "quarter_hour":
        return quarter
    if unit == "hour":
        begin = quarter
        while _same_hour(zone, begin - 1, local):
            begin -= 1
        return begin
    day = local.date()
    return day_edge(zone, day - timedelta(days=day.weekday()) if unit == "week" else day)


def _same_hour(zone: ZoneInfo, quarter: int, local: datetime) -> bool:
    other = _local(zone, quarter)
    return (other.date(), other.hour, other.utcoffset()) == (
        local.date(),
        local.hour,
        local.utcoffset(),
    )


def _next_quarter(_zone: ZoneInfo, quarter: int) -> int:
    return quarter + 1


def _next_hour(zone: ZoneInfo, quarter: int) -> int:
    local = _local(zone, quarter)
    end = quarter + 4 - local.minute // 15
    if start_of_quarter(end).astimezone(zone).utcoffset() == local.utcoffset():
        return end
    # The clock is changed within this hour, or at its end.
    return next(each for each in range(quarter + 1, end + 1) if not _same_hour(zone, each, local))


def _next_day(zone: ZoneInfo, quarter: int) -> int:
    return _after(zone, quarter, 1)


def _next_week(zone: ZoneInfo, quarter: int) -> int:
    return _after(zone, quarter, 7)


def _after(zone: ZoneInfo, quarter: int, days: int) -> int:
    """The beginning of the date so many days behind the one that begins with `quarter`."""
    day = _local(zone, quarter).date()
    return day_edge(zone, day + timedelta(days=days - (day.weekday() if days > 1 else 0)))


def _label(zone: ZoneInfo, unit: str, quarter: int) -> str:
    local = _local(zone, quarter)
    if unit in ("hour", "quarter_hour"):
        return local.isoformat(timespec="seconds")
    return local.date().isoformat()


_UNITS: Mapping[str, Callable[[ZoneInfo, int], int]] = MappingProxyType(
    {
        "quarter_hour": _next_quarter,
        "hour": _next_hour,
        "day": _next_day,
        "week": _next_week,
    }
)
