"""When a message may go by the recipient's clock: its send window, and its category's quiet hours.

Owns the choice of rules and zones for a message, and the verdict. Must not touch the database or
read a clock. recipients/hours.py does the arithmetic.

A number may be in several zones. Where no moment suits all of them, its account's zone decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from dispatch.holds import Hold
from dispatch.message import Ended, MessageOptions, SendWindow
from dlr.reasons import Reason
from dlr.status import Status
from recipients.hours import MINUTES_PER_DAY, Hours, Rule, first_moment
from recipients.numbers.time_zones import RecipientZones, Zones

MINUTE_MS = 60_000
ANSWERS_MAX = 10_000
_UTC = ZoneInfo("UTC")

QuietAction = Literal["hold", "reject", "ignore"]

_TIMED = "no moment is allowed within a week", "its validity ends before it may go"
_WISHED = (
    "no day that the recipient wants is within a week",
    "its validity ends before a day that the recipient wants",
)
# Why a message ends that cannot wait: the reason, and the words for never and for too late.
_ENDS: Mapping[Hold, tuple[Reason, str, str]] = MappingProxyType(
    {
        Hold.SEND_WINDOW: (Reason.SEND_WINDOW, *_TIMED),
        Hold.QUIET_HOURS: (Reason.QUIET_HOURS, *_TIMED),
        Hold.WISHED_DAY: (Reason.QUIET_HOURS, *_WISHED),
    }
)


class Wait(msgspec.Struct, frozen=True, gc=False):
    """Not now: at `until` (ms since the epoch), or never. `rejected`: it must not be held."""

    until: int | None
    hold: Hold
    rejected: bool = False

    def end(self, expires_at: int | None) -> Ended | None:
        """The end of a message that cannot wait, or that expires before its moment."""
        reason, never, too_late = _ENDS[self.hold]
        rule = self.hold.rule
        if self.rejected:
            return Ended(Status.SUPPRESSED, reason, rule)
        if self.until is None:
            return Ended(Status.SUPPRESSED, reason, rule, never)
        if expires_at is not None and expires_at <= self.until:
            return Ended(Status.EXPIRED, reason, rule, too_late)
        return None


class TimingRules:
    """The timing rules of a process. Answers are remembered for the minute they are about."""

    def __init__(
        self,
        *,
        quiet: Mapping[int, Hours] = MappingProxyType({}),
        action: QuietAction = "hold",
        account_zones: Mapping[int, ZoneInfo] = MappingProxyType({}),
        default_zone: ZoneInfo = _UTC,
    ) -> None:
        """`quiet` by category. An account's zone, or the default, is for numbers that do not tell
        theirs.
        """
        self._allowed = {category: hours.others for category, hours in quiet.items()}
        self._action = action
        self._zones = RecipientZones()
        self._account_zones = account_zones
        self._default_zone = default_zone
        self._answers: dict[tuple[int, tuple[Rule, ...], Zones], int | None] = {}

    @property
    def has_quiet_hours(self) -> bool:
        """Whether any category has quiet hours. Without them only what options ask for matters."""
        return bool(self._allowed)

    def quiet_hours(self, category: int) -> Hours | None:
        """Those of a category; None: it has none."""
        allowed = self._allowed.get(category)
        return None if allowed is None else allowed.others

    def concerns(self, category: int, options: MessageOptions | None) -> bool:
        """Whether there is anything to decide; False for most messages."""
        return category in self._allowed or (options is not None and options.window is not None)

    def wait(
        self, to: str, account: int, category: int, options: MessageOptions | None, at_ms: int
    ) -> Wait | None:
        """Whether a message that would go at `at_ms` has to wait; None if it may go then."""
        window = None if options is None else options.window
        moment = at_ms
        if window is not None:
            opens = self.window_opens(to, account, window, at_ms)
            if opens is None:
                return Wait(None, Hold.SEND_WINDOW)
            moment = opens
        allowed = self._allowed.get(category)
        asked = None if options is None else options.quiet_hours
        if allowed is not None and asked != "ignore":
            wait = self._quiet(to, account, window, allowed, asked, moment)
            if wait is not None:
                return wait
        return None if moment == at_ms else Wait(moment, Hold.SEND_WINDOW)

    def wished_day(self, to: str, account: int, category: int, days: int, at_ms: int) -> int | None:
        """The first moment from `at_ms` on that lies on one of these days by the recipient's clock.

        A later one is not quiet either. None if there is none within a week.
        """
        zones = self._zones_of(to, account)
        rules: tuple[Rule, ...] = ((Hours(0, MINUTES_PER_DAY, days), zones),)
        if (moment := self._first(at_ms, rules, account)) == at_ms:
            return at_ms  # whether the hour is quiet was asked before
        allowed = self._allowed.get(category)
        if allowed is not None:
            rules += ((allowed, zones),)
            moment = self._first(at_ms, rules, account)
        return moment

    def window_opens(self, to: str, account: int, window: SendWindow, at_ms: int) -> int | None:
        """The first moment from `at_ms` on at which this window is open, in ms; None if never."""
        return self._first(at_ms, self._window_rules(to, account, window), account)

    def _quiet(
        self,
        to: str,
        account: int,
        window: SendWindow | None,
        allowed: Hours,
        asked: str | None,
        moment: int,
    ) -> Wait | None:
        rules: tuple[Rule, ...] = ((allowed, self._zones_of(to, account)),)
        loud = self._first(moment, rules, account)
        if loud == moment:
            return None
        if (asked or self._action) == "reject":
            return Wait(None, Hold.QUIET_HOURS, rejected=True)
        if window is not None:
            rules += self._window_rules(to, account, window)
            loud = self._first(moment, rules, account)
        return Wait(loud, Hold.QUIET_HOURS)

    def _window_rules(self, to: str, account: int, window: SendWindow) -> tuple[Rule, ...]:
        hours = Hours(window.start, window.end, window.days)
        if window.zone is None:
            return ((hours, self._zones_of(to, account)),)
        zone = self._zones.named(window.zone)
        return ((hours, self._fallback(account) if zone is None else (zone,)),)

    def _zones_of(self, to: str, account: int) -> Zones:
        return self._zones.of(to) or self._fallback(account)

    def _fallback(self, account: int) -> Zones:
        return (self._account_zones.get(account, self._default_zone),)

    def _first(self, at_ms: int, rules: tuple[Rule, ...], account: int) -> int | None:
        minute = at_ms // MINUTE_MS
        zones = self._fallback(account)
        key = (minute, rules, zones)
        if key in self._answers:
            found = self._answers[key]
        else:
            if len(self._answers) >= ANSWERS_MAX:
                self._answers.clear()
            found = self._answers[key] = _search(*key)
        return None if found is None else max(found, at_ms)


def _search(minute: int, rules: tuple[Rule, ...], fallback: Zones) -> int | None:
    """A pure function of its arguments, which are the key of the remembered answer."""
    at = datetime.fromtimestamp(minute * MINUTE_MS // 1000, UTC)
    moment = first_moment(at, rules)
    if moment is None:
        # No hour is day both in Kamchatka and in Kaliningrad: better one clock than never.
        moment = first_moment(at, [(hours, fallback) for hours, _ in rules])
    return None if moment is None else int(moment.timestamp()) * 1000
