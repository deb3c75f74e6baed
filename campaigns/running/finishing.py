"""When a campaign is through at the earliest: by rate, ramp, spread, hours and its carriers' pace.

Owns this estimate, by one clock for all recipients. Must not read a clock, nor know what else the
carriers have to do. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta, tzinfo

from campaigns.running.windows import Days, Window, opening
from recipients.hours import MINUTES_PER_DAY, Hours, first_moment

STEPS_MAX = 120  # times that the hours open; beyond that nobody knows
_WHOLE = (Hours(0, MINUTES_PER_DAY),)
_MINUTE = timedelta(minutes=1)


class Clock:
    """When messages may go: by a window and outside of quiet hours, in one zone."""

    def __init__(
        self, window: Window | None, quiet: Hours | None, zone: tzinfo, days: Days
    ) -> None:
        self._window = Window(_WHOLE) if window is None else window
        self._allowed = None if quiet is None else quiet.others
        self._zone = zone
        self._days = days

    def opens(self, at: datetime) -> tuple[datetime, datetime] | None:
        """The first span from `at` on in which messages go: its begin and its end; None: never."""
        spans: Sequence[Hours] = self._window.spans
        if self._window.dated:
            found = opening(self._window, at, self._zone, self._days)
            if found is None:
                return None
            spans, at = (found.span,), max(at, found.begins or at)
        firsts = [self._first(at, span) for span in spans]
        opened = [(moment, place) for place, moment in enumerate(firsts) if moment is not None]
        if not opened:
            return None
        moment, place = min(opened)
        ends = [_end(moment, spans[place], self._zone)]
        if self._allowed is not None:
            ends.append(_end(moment, self._allowed, self._zone))
        return moment, max(min(ends), moment + _MINUTE)

    def _first(self, at: datetime, span: Hours) -> datetime | None:
        rules = [span] if self._allowed is None else [span, self._allowed]
        return first_moment(at, [(each, (self._zone,)) for each in rules])


def finish_at(
    begins: datetime, work: timedelta, spread: timedelta, clock: Clock
) -> datetime | None:
    """When the last one goes. `work`: how long it takes while the hours are open. `spread`: until
    the last slot, open or not. None: it is never open, or too far away.
    """
    moment, left = begins, work
    for _ in range(STEPS_MAX):
        span = clock.opens(moment)
        if span is None:
            return None
        opened, closes = span
        if left <= closes - opened:
            last = clock.opens(begins + spread)
            return None if last is None else max(opened + left, last[0])
        left -= closes - opened
        moment = closes
    return None


def _end(moment: datetime, hours: Hours, zone: tzinfo) -> datetime:
    """When hours that are open at this moment close, by the clock on the wall."""
    local = moment.astimezone(zone)
    tomorrow = hours.start >= hours.end and local.hour * 60 + local.minute >= hours.start
    day = local.date() + timedelta(days=1 if tomorrow else 0)
    wall = datetime.combine(day, time()) + timedelta(minutes=hours.end)
    return wall.replace(tzinfo=zone).astimezone(UTC)
