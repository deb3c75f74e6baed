"""Send times, send windows and quiet hours, checked at accept and again before the wire.

Owns the two places where quiet_hours.py is asked. Must not ask the database: the message brings
what they need.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from dispatch.holds import Hold
from dispatch.message import Later, ReadyMessage, StopVerdict
from messages.accepting import Accepting
from messages.rules.quiet_hours import TimingRules
from storage.pool import Connection


class TimingCheck:
    """A FlushCheck: puts off what is scheduled or comes at a quiet hour, ends what cannot wait."""

    def __init__(self, rules: TimingRules, wall_ms: Callable[[], int]) -> None:
        self._rules = rules
        self._wall_ms = wall_ms

    def concerns(self, item: Accepting) -> bool:
        """Whether it is scheduled, or may come at a quiet hour."""
        options = item.prepared.options
        return (options is not None and options.send_at is not None) or self._rules.concerns(
            item.prepared.category, options
        )

    async def decide(self, connection: Connection, items: Sequence[Accepting]) -> None:
        now_ms = self._wall_ms()
        quiet = self._rules.has_quiet_hours
        for item in items:
            message = item.prepared
            options = message.options
            if (options is None and not quiet) or not self.concerns(item):
                continue
            scheduled = now_ms
            if options is not None and options.send_at is not None:
                scheduled = max(now_ms, options.send_at)
            wait = self._rules.wait(
                message.to, message.account, message.category, options, scheduled
            )
            if wait is not None:
                item.ended = wait.end(message.expires_at)
                put_off(item, wait.until, wait.hold)
            elif scheduled > now_ms:
                put_off(item, scheduled, Hold.SCHEDULED)


class TimingLook:
    """A LastLook: what leaves a queue at a quiet hour is put off again."""

    def __init__(self, rules: TimingRules, wall_ms: Callable[[], int]) -> None:
        self._rules = rules
        self._wall_ms = wall_ms

    def asks(self, messages: Sequence[ReadyMessage]) -> bool:
        rules = self._rules
        if not rules.has_quiet_hours:
            messages = [each for each in messages if each.options is not None]
        return any(rules.concerns(each.category, each.options) for each in messages)

    async def decide(
        self, connection: Connection, messages: Sequence[ReadyMessage]
    ) -> Mapping[int, StopVerdict]:
        now_ms = self._wall_ms()
        verdicts: dict[int, StopVerdict] = {}
        for message in messages:
            if not self._rules.concerns(message.category, message.options):
                continue
            wait = self._rules.wait(
                message.to, message.account, message.category, message.options, now_ms
            )
            if wait is not None:
                verdicts[message.id] = wait.end(message.expires_at) or Later(wait.until, wait.hold)
        return verdicts


def put_off(item: Accepting, until: int | None, hold: Hold) -> None:
    """It waits until then, in ms, unless it has ended."""
    if item.ended is None and until is not None:
        item.not_before = datetime.fromtimestamp(until / 1000, UTC)
        item.hold = hold
