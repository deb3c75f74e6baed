"""Frequency caps: read at accept, counted once before the wire.

Owns both checks. Must not decide what is too much (recipients/caps.py does).

At accept, what is certainly too much ends, and nothing is written. In the intent's transaction each
number is locked, judged and counted, by message id. So a message sent again is not counted again,
and two gateways never both send the last one.

A count is given back when its own message was never sent, once it would refuse another. The results
themselves are asked then, so whoever ended that message need not help.

A person may wish for fewer messages than the account's cap allows (recipients/preferences.py).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from dispatch.holds import Hold
from dispatch.message import Ended, Later, MessageOptions, ReadyMessage, StopVerdict
from dlr.reasons import Reason
from dlr.status import Status
from messages.accepting import Accepting
from recipients import frequency, preferences
from recipients.caps import GAP, MONTH, NO_CAPS, Caps, Refusal, refusal, wished
from recipients.frequency import Number, Old, Sends
from storage.categories import Category
from storage.pool import Connection

RULE = "frequency_cap"
Asked = tuple[Number, Caps, int]  # for this number, under these caps, at this moment (ms)


class CapRules:
    """The caps of each account and category that has some."""

    def __init__(
        self, caps: Mapping[tuple[int, int], Caps], wishing: Collection[int] = frozenset()
    ) -> None:
        """`wishing`: accounts whose recipients may say how much marketing they want."""
        self._caps = dict.fromkeys(
            ((account, int(Category.MARKETING)) for account in wishing), NO_CAPS
        )
        self._caps |= {key: value for key, value in caps.items() if value}
        self._wishing = frozenset(wishing)

    def __bool__(self) -> bool:
        return bool(self._caps)

    def of(self, account: int, category: int, options: MessageOptions | None) -> Caps | None:
        """The caps; None where there are none, as for everything in the sandbox."""
        if options is not None and options.sandbox:
            return None
        return self._caps.get((account, category))

    async def wishes(
        self, connection: Connection, numbers: Collection[Number]
    ) -> Mapping[Number, int]:
        """What is wished of these numbers, where the account asks for it."""
        asked = {number for number in numbers if number[0] in self._wishing}
        return await preferences.month_wishes(connection, asked)


class CapsCheck:
    """A FlushCheck: a recipient who was sent too many already gets no more."""

    def __init__(self, rules: CapRules, wall_ms: Callable[[], int]) -> None:
        self._rules = rules
        self._wall_ms = wall_ms

    def concerns(self, item: Accepting) -> bool:
        """Whether the account has caps for the category."""
        message = item.prepared
        return self._rules.of(message.account, message.category, message.options) is not None

    async def decide(self, connection: Connection, items: Sequence[Accepting]) -> None:
        if not self._rules:
            return
        capped: list[tuple[Accepting, Number, Caps]] = []
        for item in items:
            message = item.prepared
            caps = self._rules.of(message.account, message.category, message.options)
            if caps is not None:
                capped.append((item, (message.account, message.category, item.to_idx), caps))
        if not capped:
            return
        now_ms = self._wall_ms()
        wishes = await self._rules.wishes(connection, {number for _, number, _ in capped})
        asked = [
            (item, (number, wished(caps, wishes.get(number)), _moment(item, now_ms)))
            for item, number, caps in capped
        ]
        sends = await frequency.read(
            connection,
            {number for _, (number, _, _) in asked},
            old_numbers((item.old_idx, number) for item, (number, _, _) in asked),
        )
        await give_back(connection, sends, [each for _, each in asked])
        for item, (number, caps, at) in asked:
            refused = refusal(caps, sends[number].times, at)
            if refused is None:
                continue
            if refused.span != GAP:
                item.ended = _capped(refused, caps, wishes.get(number))
            elif item.prepared.expires_at is None or item.prepared.expires_at > refused.until:
                item.not_before = datetime.fromtimestamp(refused.until / 1000, UTC)
                item.hold = Hold.FREQUENCY_GAP


class CapsLook:
    """A LastLook: counts what goes, and stops what would be one too many."""

    def __init__(self, rules: CapRules, wall_ms: Callable[[], int]) -> None:
        self._rules = rules
        self._wall_ms = wall_ms

    def asks(self, messages: Sequence[ReadyMessage]) -> bool:
        caps = self._rules
        return bool(caps) and any(
            caps.of(each.account, each.category, each.options) is not None for each in messages
        )

    async def decide(
        self, connection: Connection, messages: Sequence[ReadyMessage]
    ) -> Mapping[int, StopVerdict]:
        capped = [
            (message, (message.account, message.category, message.to_idx), caps)
            for message in messages
            if (caps := self._rules.of(message.account, message.category, message.options))
            is not None
        ]
        if not capped:
            return {}
        wishes = await self._rules.wishes(connection, {number for _, number, _ in capped})
        asked = [
            (message, number, wished(caps, wishes.get(number))) for message, number, caps in capped
        ]
        sends = await frequency.lock(
            connection,
            {number for _, number, _ in asked},
            old_numbers((message.old_idx, number) for message, number, _ in asked),
        )
        now_ms = self._wall_ms()
        uncounted = [each for each in asked if each[0].id not in sends[each[1]].at]
        await give_back(
            connection, sends, [(number, caps, now_ms) for _, number, caps in uncounted]
        )
        verdicts: dict[int, StopVerdict] = {}
        counted: dict[Number, Sends] = {}
        for message, number, caps in asked:
            found = sends[number]
            refused = None
            if message.id not in found.at:
                refused = refusal(caps, found.times, now_ms)
            if refused is None:
                found.count(message.id, now_ms)
                counted[number] = found
            else:
                verdicts[message.id] = _verdict(message, refused, caps, wishes.get(number))
        await frequency.write(connection, counted)
        return verdicts


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
        for number, caps, moment in asked
        if refusal(caps, sends[number].times, moment) is not None
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


def _moment(item: Accepting, now_ms: int) -> int:
    return now_ms if item.not_before is None else int(item.not_before.timestamp() * 1000)


def _capped(refused: Refusal, caps: Caps, wish: int | None) -> Ended:
    why = f"as many as a {refused.span} allows"
    if refused.span == MONTH and caps.month == wish:
        why = "as many as the recipient wishes in a month"
    return Ended(Status.CAPPED, Reason.FREQUENCY_CAP, RULE, why)


def _verdict(message: ReadyMessage, refused: Refusal, caps: Caps, wish: int | None) -> StopVerdict:
    if refused.span != GAP:
        return _capped(refused, caps, wish)
    if message.expires_at is not None and message.expires_at <= refused.until:
        why = "its validity ends before the gap does"
        return Ended(Status.EXPIRED, Reason.FREQUENCY_CAP, Hold.FREQUENCY_GAP.rule, why)
    return Later(refused.until, Hold.FREQUENCY_GAP)
