"""The days on which a person wants marketing, asked at accept and again before the wire.

Owns both checks. Must not know a wish (recipients/preferences.py) or a clock's arithmetic
(quiet_hours.py). A message that comes on another day waits, by the recipient's clock.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from dispatch.holds import Hold
from dispatch.message import Later, MessageOptions, ReadyMessage, StopVerdict
from messages.accepting import Accepting
from messages.rules.cap_rules import with_old
from messages.rules.caps import moment_of, number_of, old_numbers
from messages.rules.quiet_hours import TimingRules, Wait
from messages.rules.quiet_hours_checks import put_off
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

    def wait(self, to: str, account: int, days: int, at_ms: int) -> Wait | None:
        """Whether what would go at `at_ms` has to wait for one of these days; None: it may go."""
        until = self._timing.wished_day(to, account, _MARKETING, days, at_ms)
        return None if until == at_ms else Wait(until, Hold.WISHED_DAY)


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
            days, message = found.get(number), item.prepared
            if days is None:
                continue
            at = moment_of(item, now_ms)
            wait = self._days.wait(message.to, message.account, days, at)
            if wait is not None:
                item.ended = wait.end(message.expires_at)
                put_off(item, wait.until, wait.hold)


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
            wait = self._days.wait(message.to, message.account, days, now_ms)
            if wait is not None:
                verdicts[message.id] = wait.end(message.expires_at) or Later(wait.until, wait.hold)
        return verdicts

    def _concerned(self, message: ReadyMessage) -> bool:
        return self._days.concern(message.account, message.category, message.options)
