"""The hour of a day in which each person of a campaign is best written to.

Owns which hours of which day are left to choose from, and the send window that makes the choice.
Must not rate an hour (campaigns/events/best_hour.py), nor know quiet hours. It is told when a
number may be written to, and that wins. Pure.

Today counts as long as an hour of it is left, and then the next day that has one. So nobody waits
for longer than the campaign's window makes them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from campaigns.events.best_hour import HOURS, best_hour, of_day
from campaigns.running.windows import request_of, same_day
from messages.requests import SendWindowRequest
from recipients.hours import EVERY_DAY, MINUTES_PER_DAY, SEARCH_DAYS, Hours
from recipients.numbers.time_zones import RecipientZones, Zones

BEST = "best"
AUDIENCE_MAX = 5_000  # people of a plan whose hours stand for those of all
ANY_HOUR = (Hours(0, MINUTES_PER_DAY, EVERY_DAY),)
LEFT_MIN = timedelta(minutes=10)  # of an hour under way: a message needs some time to go
DAYS_REMEMBERED_MAX = 10_000  # one for each place that numbers of a minute are in

_MINUTE = timedelta(minutes=1)
_MINUTE_MS = 60_000
_NOTHING = (0,) * (2 * HOURS)
_SATURDAY = 5
# The first moment from this one on at which somebody may be written to; None: there is none.
Loud = Callable[[datetime], datetime | None]


class Day(NamedTuple):
    """What is left of a day: for each hour that is allowed, the hours in which it is."""

    weekend: bool
    left: Mapping[int, Hours]


_Asked = tuple[bool, Mapping[int, SendWindowRequest]]  # of a Day


class BestHours:
    """Of one campaign. Days are remembered for the minute they are about."""

    def __init__(
        self,
        audience: Sequence[int],
        *,
        zone: ZoneInfo,
        of_numbers: RecipientZones,
        loud: Callable[[str, int], int | None],
    ) -> None:
        """`audience`: what its people did, as in `hour_profile.hours`, in sum. `zone`: of whoever
        has none, or several. `loud`: for a number, the first moment from one on (in ms) that is not
        quiet; None: there is none.
        """
        self._shares = {weekend: _shares(audience, weekend=weekend) for weekend in (False, True)}
        self._zone = zone
        self._of_numbers = of_numbers
        self._loud = loud
        self._minute = 0
        self._days: dict[tuple[str, Zones, Sequence[Hours]], _Asked | None] = {}

    def window(
        self,
        own: Sequence[int] | None,
        to: str,
        spans: tuple[Hours, ...],
        named: str | None,
        now_ms: int,
    ) -> SendWindowRequest | None:
        """The field `send_window` of a message to this number: one hour, within one of `spans`.

        `own`: what they did; None: nothing. `named`: their zone. None where no hour of a week is
        allowed.
        """
        zones = self._of_numbers.of(to)
        zone = zones[0] if len(zones) == 1 else self._zone
        if named is not None:
            zone = ZoneInfo(named)
        minute = now_ms // _MINUTE_MS
        if minute != self._minute or len(self._days) >= DAYS_REMEMBERED_MAX:
            self._minute = minute
            self._days.clear()
        key = (zone.key, zones, spans)
        if key not in self._days:
            at = datetime.fromtimestamp(now_ms / 1000, UTC)
            day = next_day(spans, at, zone, lambda moment: self._heard(to, moment))
            self._days[key] = None if day is None else (day.weekend, _requests(day, zone.key))
        found = self._days[key]
        if found is None:
            return None
        weekend, requests = found
        profile = of_day(own or _NOTHING, weekend=weekend)
        best = best_hour(profile, self._shares[weekend], requests)
        return None if best is None else requests[best]

    def _heard(self, to: str, moment: datetime) -> datetime | None:
        found = self._loud(to, int(moment.timestamp() * 1000))
        return None if found is None else datetime.fromtimestamp(found / 1000, UTC)


def next_day(spans: Sequence[Hours], at: datetime, zone: tzinfo, loud: Loud) -> Day | None:
    """The first day of this zone on which an hour is left; None: within a week there is none."""
    today = at.astimezone(zone).date()
    for ahead in range(SEARCH_DAYS):
        day = today + timedelta(days=ahead)
        if left := _left(spans, day, at, zone, loud):
            return Day(day.weekday() >= _SATURDAY, left)
    return None


def _left(
    spans: Sequence[Hours], day: date, at: datetime, zone: tzinfo, loud: Loud
) -> dict[int, Hours]:
    found: dict[int, Hours] = {}
    midnight = datetime.combine(day, time.min)
    for span in (piece for each in spans for piece in same_day(each)):
        if not span.days >> day.weekday() & 1:
            continue
        for hour in range(span.start // 60, -(-span.end // 60)):
            piece = Hours(max(span.start, hour * 60), min(span.end, hour * 60 + 60), span.days)
            begins, ends = (
                (midnight + minutes * _MINUTE).replace(tzinfo=zone).astimezone(UTC)
                for minutes in (piece.start, piece.end)
            )
            if hour not in found and _enough(begins, ends, at, loud):
                found[hour] = piece
    return found


def _enough(begins: datetime, ends: datetime, at: datetime, loud: Loud) -> bool:
    """Whether enough of this time is still to come, and not quiet."""
    enough = min(LEFT_MIN, ends - begins)
    first = max(begins, at)
    if not timedelta(0) < enough <= ends - first:
        return False
    moment = loud(first)
    return moment is not None and enough <= ends - moment


def _requests(day: Day, zone: str) -> dict[int, SendWindowRequest]:
    return {
        hour: msgspec.convert(request_of(piece, zone), SendWindowRequest)
        for hour, piece in day.left.items()
    }


def _shares(audience: Sequence[int], *, weekend: bool) -> list[float]:
    sums = of_day(audience, weekend=weekend)
    total = sum(sums)
    return [each / total for each in sums] if total else [1 / HOURS] * HOURS
