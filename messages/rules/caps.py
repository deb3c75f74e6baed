"""Frequency caps: read at accept, counted once before the wire.

Owns both checks. Must not decide what is too much (recipients/caps.py does), nor which caps a
recipient has (cap_rules.py).

At accept, what is certainly too much ends, and nothing is written. In the intent's transaction each
number is locked, judged and counted, by message id. So a message sent again is not counted again,
and two gateways never both send the last one.

A count is given back when its own message was never sent, once it would refuse another. The results
themselves are asked then, so whoever ended that message need not help.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from dispatch.holds import Hold
from dispatch.message import Ended, Later, ReadyMessage, StopVerdict
from dlr.reasons import Reason
from dlr.status import Status
from messages.accepting import Accepting
from messages.models import IfCapped
from messages.rules.cap_rules import CapRules
from recipients import frequency
from recipients.caps import Ruled, TooMany, strictest
from recipients.frequency import Number, Old, Sends
from storage.pool import Connection

Asked = tuple[Number, Sequence[Ruled], int]  # a number, its caps, and a moment in ms


class CapsCheck:
    """A FlushCheck: a recipient who was sent too many already gets no more."""

    def __init__(self, rules: CapRules, wall_ms: Callable[[], int]) -> None:
        self._rules = rules
        self._wall_ms = wall_ms

    def concerns(self, item: Accepting) -> bool:
        """Whether the recipient may have caps for the category."""
        message = item.prepared
        return self._rules.concern(message.account, message.category, message.options)

    async def decide(self, connection: Connection, items: Sequence[Accepting]) -> None:
        capped = [(item, number_of(item)) for item in items if self.concerns(item)]
        if not capped:
            return
        now_ms = self._wall_ms()
        numbers = {number for _, number in capped}
        old = old_numbers((item.old_idx, number) for item, number in capped)
        rules = await self._rules.of(connection, numbers, old)
        sends = await frequency.read(connection, numbers, old)
        asked = [
            (item, (number, rules[number], moment_of(item, now_ms))) for item, number in capped
        ]
        await give_back(connection, sends, [each for _, each in asked])
        for item, (number, ruled, at) in asked:
            found = strictest(ruled, sends[number].times, at)
            if found is None:
                continue
            if not found.delays or item.if_capped is IfCapped.SKIP:
                item.ended = _capped(found)
            elif item.prepared.expires_at is None or item.prepared.expires_at > found.until:
                item.not_before = datetime.fromtimestamp(found.until / 1000, UTC)
                item.hold = Hold.FREQUENCY_GAP


class CapsLook:
    """A LastLook: counts what goes, and stops what would be one too many."""

    def __init__(self, rules: CapRules, wall_ms: Callable[[], int]) -> None:
        self._rules = rules
        self._wall_ms = wall_ms

    def asks(self, messages: Sequence[ReadyMessage]) -> bool:
        return any(self._concerned(each) for each in messages)

    async def decide(
        self, connection: Connection, messages: Sequence[ReadyMessage]
    ) -> Mapping[int, StopVerdict]:
        capped = [
            (message, (message.account, message.category, message.to_idx))
            for message in messages
            if self._concerned(message)
        ]
        if not capped:
            return {}
        numbers = {number for _, number in capped}
        old = old_numbers((message.old_idx, number) for message, number in capped)
        rules = await self._rules.of(connection, numbers, old)
        sends = await frequency.lock(connection, numbers, old)
        now_ms = self._wall_ms()
        await give_back(
            connection,
            sends,
            [
                (number, rules[number], now_ms)
                for message, number in capped
                if message.id not in sends[number].at
            ],
        )
        verdicts: dict[int, StopVerdict] = {}
        counted: dict[Number, Sends] = {}
        for message, number in capped:
            found = sends[number]
            refused = None
            if message.id not in found.at:
                refused = strictest(rules[number], found.times, now_ms)
            if refused is None:
                found.count(message.id, now_ms)
                counted[number] = found
            else:
                verdicts[message.id] = _verdict(message, refused)
        await frequency.write(connection, counted)
        return verdicts

    def _concerned(self, message: ReadyMessage) -> bool:
        return self._rules.concern(message.account, message.category, message.options)


def number_of(item: Accepting) -> Number:
    """Under which sends to its recipient, and their wishes, are kept."""
    return item.prepared.account, item.prepared.category, item.to_idx


def old_numbers(recipients: Iterable[tuple[tuple[bytes, ...], Number]]) -> Old:
    """The other indexes under which the release before may have counted for these."""
    return {
        (number[0], number[1], old): number for old_idx, number in recipients for old in old_idx
    }


async def give_back(
    connection: Connection, sends: Mapping[Number, Sends], asked: Collection[Asked]
) -> None:
    """Delete from `sends` what was counted and never sent, where it would refuse one of `asked`.

    One statement for all, and none while nobody is near a cap.
    """
    suspects = {
        message_id: at
        for number, ruled, moment in asked
        if strictest(ruled, sends[number].times, moment) is not None
        for message_id, at in sends[number].at.items()
    }
    if not suspects:
        return
    unsent = await frequency.never_sent(connection, suspects)
    if unsent:
        for number, _, _ in asked:
            found = sends[number]
            for message_id in unsent & found.at.keys():
                del found.at[message_id]


def moment_of(item: Accepting, now_ms: int) -> int:
    """When it would go, as far as the checks before have found, in ms since the epoch."""
    return now_ms if item.not_before is None else int(item.not_before.timestamp() * 1000)


def _capped(found: TooMany) -> Ended:
    return Ended(Status.CAPPED, Reason.FREQUENCY_CAP, found.rule, found.why)


def _verdict(message: ReadyMessage, found: TooMany) -> StopVerdict:
    if not found.delays:
        return _capped(found)
    if message.expires_at is not None and message.expires_at <= found.until:
        why = "its validity ends before the gap does"
        return Ended(Status.EXPIRED, Reason.FREQUENCY_CAP, Hold.FREQUENCY_GAP.rule, why)
    return Later(found.until, Hold.FREQUENCY_GAP)
