"""The days on which a person wants marketing, asked at accept and again before the wire.

Owns both checks. Must not know a wish (recipients/preferences.py) or a clock's arithmetic
(quiet_hours.py). A message that comes on another day waits, by the recipient's clock.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime

from dispatch.holds import Hold
from dispatch.message import Ended, Later, MessageOptions, ReadyMessage, StopVerdict
from dlr.reasons import Reason
from dlr.status import Status
from messages.accepting import Accepting
from messages.rules.cap_rules import with_old
from messages.rules.caps import moment_of, number_of, old_numbers
from messages.rules.quiet_hours import TimingRules
from recipients import preferences
from recipients.frequency import Number, Old
from storage.categories import Category
from storage.pool import Connection

_MARKETING = int(Category.MARKETING)


class WishedDays:
    """Whose recipients may name days, and when the next of these begins."""

    def __init__(self, wishing: Collection[int], timing: TimingRules) -> None:
        self._wishing = frozenset(wishing)
        self._timing = timing

    def concern(self, account: int, category: int, options: MessageOptions | None) -> bool:
        """Whether the recipient may have named days; never in the sandbox."""
        return (
            category == _MARKETING
            and account in self._wishing
            and not (options is not None and options.sandbox)
        )

    async def of(
        self, connection: Connection, numbers: Collection[Number], old: Old
    ) -> dict[Number, int]:
        """The days of those that have named some."""
        found = await preferences.wishes(connection, with_old(set(numbers), old))
        return {
            old.get(number, number): wish.days
            for number, wish in found.items()
            if wish.days is not None
        }

    def opens(self, to: str, account: int, days: int, at_ms: int) -> int | None:
        """The first moment from `at_ms` on, in ms; None if there is none."""
        return self._timing.wished_day(to, account, _MARKETING, days, at_ms)


class DaysCheck:
    """A FlushCheck: puts off what comes on a day that its recipient does not want."""

    def __init__(self, days: WishedDays, wall_ms: Callable[[], int]) -> None:
        self._days = days
        self._wall_ms = wall_ms

    def concerns(self, item: Accepting) -> bool:
        """Whether the recipient may have named days."""
        message = item.prepared
        return self._days.concern(message.account, message.category, message.options)

    async def decide(self, connection: Connection, items: Sequence[Accepting]) -> None:
        asked = [(item, number_of(item)) for item in items if self.concerns(item)]
        if not asked:
            return
        old = old_numbers((item.old_idx, number) for item, number in asked)
        found = await self._days.of(connection, {number for _, number in asked}, old)
        now_ms = self._wall_ms()
        for item, number in asked:
            days, at = found.get(number), moment_of(item, now_ms)
            if days is None:
                continue
            message = item.prepared
            until = self._days.opens(message.to, message.account, days, at)
            if until == at:
                continue
            item.ended = _end(until, message.expires_at)
            if item.ended is None and until is not None:
                item.not_before = datetime.fromtimestamp(until / 1000, UTC)
                item.hold = Hold.WISHED_DAY


class DaysLook:
    """A LastLook: what leaves a queue on another day is put off again."""

    def __init__(self, days: WishedDays, wall_ms: Callable[[], int]) -> None:
        self._days = days
        self._wall_ms = wall_ms

    def asks(self, messages: Sequence[ReadyMessage]) -> bool:
        return any(self._concerned(each) for each in messages)

    async def decide(
        self, connection: Connection, messages: Sequence[ReadyMessage]
    ) -> Mapping[int, StopVerdict]:
        asked = [
            (each, (each.account, _MARKETING, each.to_idx))
            for each in messages
            if self._concerned(each)
        ]
        if not asked:
            return {}
        old = old_numbers((each.old_idx, number) for each, number in asked)
        found = await self._days.of(connection, {number for _, number in asked}, old)
        now_ms = self._wall_ms()
        verdicts: dict[int, StopVerdict] = {}
        for message, number in asked:
            days = found.get(number)
            if days is None:
                continue
            until = self._days.opens(message.to, message.account, days, now_ms)
            if until != now_ms:
                later = Later(until, Hold.WISHED_DAY)
                verdicts[message.id] = _end(until, message.expires_at) or later
        return verdicts

    def _concerned(self, message: ReadyMessage) -> bool:
        return self._days.concern(message.account, message.category, message.options)


def _end(until: int | None, expires_at: int | None) -> Ended | None:
    rule = Hold.WISHED_DAY.rule
    if until is None:
        why = "no day that the recipient wants is within a week"
        return Ended(Status.SUPPRESSED, Reason.QUIET_HOURS, rule, why)
    if expires_at is not None and expires_at <= until:
        why = "its validity ends before a day that the recipient wants"
        return Ended(Status.EXPIRED, Reason.QUIET_HOURS, rule, why)
    return None
