"""The fields of a message that say when it may go: send_at, send_window, policy.quiet_hours.

Owns their form and their limits. Must not decide whether a moment is allowed (messages/rules does).
Pure.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from dispatch.message import MessageOptions, SendWindow
from messages.models import AccountPolicy, FieldError
from messages.requests import MessageRequest, SendWindowRequest
from messages.rules.quiet_hours import TimingRules
from recipients.hours import DAY_NAMES, EVERY_DAY, parse_clock, parse_hours
from recipients.numbers.time_zones import zone_of

SEND_AT_DAYS_MAX = 35
# This much in the past counts as now: clocks differ, requests take time
SEND_AT_LATE_SECONDS_MAX = 60

_DAY_MS = 86_400_000
_NONE = (None, None, None)


class Timing(msgspec.Struct, frozen=True, gc=False):
    """When a message wants to go, and how. ms since the epoch; its validity counts from there."""

    release: int
    options: MessageOptions | None = None


class TimingFields:
    """Reads these fields of a message. One for the process."""

    def __init__(self, rules: TimingRules) -> None:
        self._rules = rules

    def read(
        self,
        request: MessageRequest,
        account: AccountPolicy,
        now_ms: int,
        faults: list[FieldError],
    ) -> Timing:
        """The timing of a message. What is wrong is added to `faults`. Quick where it has no such
        field.
        """
        if request.send_at is None and request.send_window is None and request.policy is None:
            return Timing(now_ms)
        release: int | FieldError = now_ms
        if request.send_at is not None:
            release = check_send_at(request.send_at, now_ms)
        window: SendWindow | FieldError | None = None
        if request.send_window is not None:
            window = check_window(request.send_window)
        asked = None if request.policy is None else request.policy.quiet_hours
        if asked == "ignore" and not account.may_ignore_quiet_hours:
            detail = "policy.quiet_hours is ignore, for which the key lacks the scope policy:ignore"
            faults.append(FieldError("policy_not_allowed", detail, "/policy/quiet_hours"))
        if isinstance(release, FieldError):
            faults.append(release)
        if isinstance(window, FieldError):
            faults.append(window)
        if faults or isinstance(release, FieldError) or isinstance(window, FieldError):
            return Timing(now_ms)
        at = release if release > now_ms else None
        options = None
        if (at, window, asked) != _NONE:
            options = MessageOptions(send_at=at, window=window, quiet_hours=asked)
        if window is not None:
            release = self._rules.window_opens(request.to, account.id, window, release) or release
        return Timing(release, options)


def check_send_at(send_at: datetime, now_ms: int) -> int | FieldError:
    """`send_at` in ms since the epoch. A moment that has just passed is now."""
    moment = int(send_at.timestamp() * 1000)
    if moment < now_ms - SEND_AT_LATE_SECONDS_MAX * 1000:
        detail = f"send_at lies more than {SEND_AT_LATE_SECONDS_MAX} seconds in the past"
        return FieldError("send_at_invalid", detail, "/send_at")
    if moment > now_ms + SEND_AT_DAYS_MAX * _DAY_MS:
        detail = f"send_at lies more than {SEND_AT_DAYS_MAX} days ahead"
        return FieldError("send_at_invalid", detail, "/send_at")
    return max(moment, now_ms)


def check_window(asked: SendWindowRequest) -> SendWindow | FieldError:
    """A send window in the stored form."""
    for name, text in (("from", asked.start), ("to", asked.end)):
        try:
            parse_clock(text)
        except ValueError as error:
            return _window_fault(f"{name} is not {error}", name)
    try:
        hours = parse_hours(asked.start, asked.end)
    except ValueError as error:
        return _window_fault(f"from and to are not {error}", "to")
    days = EVERY_DAY
    if asked.days is not None:
        days = sum({1 << DAY_NAMES.index(day) for day in asked.days})
        if not days:
            return _window_fault("days names no day; leave it out for every day", "days")
    zone = None if asked.tz == "recipient" else asked.tz
    if zone is not None and zone_of(zone) is None:
        return _window_fault('tz is "recipient" or a zone such as "Asia/Shanghai"', "tz")
    return SendWindow(hours.start, hours.end, days, zone)


def _window_fault(detail: str, name: str) -> FieldError:
    return FieldError("send_window_invalid", f"send_window: {detail}", f"/send_window/{name}")
