"""Limits against SMS pumping: one-time passwords to one number, and to numbers that begin alike.

Owns the check at accept, where these messages are counted. Must not count other categories.

Each is counted in the transaction that stores it, with its number and its prefix locked. So
gateways count together. What is refused is not counted. The count of a message that was taken back
(its client was told 503) is dropped once it would refuse another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from dispatch.message import Ended
from dlr.reasons import Reason
from dlr.status import Status
from messages.accepting import NO_ID, Accepting
from messages.rules.caps import number_of, old_numbers
from recipients import frequency
from recipients.caps import Caps, refusal
from recipients.frequency import Number, Prefix, Sends
from recipients.velocity import Slots, counted, in_last_hour
from storage.categories import Category
from storage.names import SANDBOX
from storage.pool import Connection
from storage.subscribers import canonical


class VelocityLimits(msgspec.Struct, frozen=True):
    """The limits of one account. `prefix_digits` of the number, after the +, are what begins
    alike.
    """

    caps: Caps
    prefix_digits: int
    prefix_hour: int | None


class _Counts(msgspec.Struct):
    """The counts for the numbers and prefixes of one flush."""

    sends: dict[Number, Sends]
    slots: dict[Prefix, Slots]


class VelocityCheck:
    """A FlushCheck. `limits` by account."""

    def __init__(self, limits: Mapping[int, VelocityLimits], wall_ms: Callable[[], int]) -> None:
        self._limits = limits
        self._wall_ms = wall_ms

    def concerns(self, item: Accepting) -> bool:
        """Whether it is a one-time password of an account with such limits."""
        message = item.prepared
        return (
            message.category == Category.OTP
            and message.connector != SANDBOX
            and message.account in self._limits
        )

    async def decide(self, connection: Connection, items: Sequence[Accepting]) -> None:
        if not self._limits:
            return
        asked = [
            (item, self._limits[item.prepared.account]) for item in items if self.concerns(item)
        ]
        if not asked:
            return
        rehearsed = asked[0][0].id == NO_ID  # a preview, in a read-only transaction
        now_ms = self._wall_ms()
        counts = await self._counts(connection, asked, now_ms, rehearsed=rehearsed)
        changed = _Counts({}, {})
        for item, limits in asked:
            number, prefix = number_of(item), _prefix(item, limits)
            found = counts.sends[number]
            if item.id in found.at and not rehearsed:
                continue
            item.ended = self._refused(limits, found, counts.slots.get(prefix, {}), now_ms)
            if item.ended is not None:
                continue
            found.count(item.id, now_ms)
            changed.sends[number] = found
            if limits.prefix_hour is not None:
                slots = counted(counts.slots[prefix], now_ms, 1)
                counts.slots[prefix] = changed.slots[prefix] = slots
        if not rehearsed:
            await frequency.write(connection, changed.sends)
            await frequency.write_prefixes(connection, changed.slots)

    async def _counts(
        self,
        connection: Connection,
        asked: Sequence[tuple[Accepting, VelocityLimits]],
        now_ms: int,
        *,
        rehearsed: bool,
    ) -> _Counts:
        numbers = {number_of(item) for item, _ in asked}
        prefixes = {
            _prefix(item, limits) for item, limits in asked if limits.prefix_hour is not None
        }
        old = old_numbers((item.old_idx, number_of(item)) for item, _ in asked)
        if rehearsed:
            sends = await frequency.read(connection, numbers, old)
            slots = await frequency.read_prefixes(connection, prefixes)
        else:
            sends = await frequency.lock(connection, numbers, old)
            slots = await frequency.lock_prefixes(connection, prefixes)
        suspects = {
            message_id
            for item, limits in asked
            if refusal(limits.caps, sends[number_of(item)].times, now_ms) is not None
            for message_id in sends[number_of(item)].at
        }
        if suspects:
            gone = await frequency.not_stored(connection, suspects)
            for found in sends.values():
                for message_id in gone & found.at.keys():
                    del found.at[message_id]
        return _Counts(sends, slots)

    def _refused(
        self, limits: VelocityLimits, found: Sends, slots: Slots, now_ms: int
    ) -> Ended | None:
        refused = refusal(limits.caps, found.times, now_ms)
        if refused is not None:
            return _ended(Reason.VELOCITY_NUMBER, f"as many as a {refused.span} allows")
        hour = limits.prefix_hour
        if hour is not None and in_last_hour(slots, now_ms) >= hour:
            return _ended(Reason.VELOCITY_PREFIX, "as many as an hour allows")
        return None


def _prefix(item: Accepting, limits: VelocityLimits) -> Prefix:
    return item.prepared.account, canonical(item.prepared.to)[: 1 + limits.prefix_digits]


def _ended(reason: Reason, error: str) -> Ended:
    return Ended(Status.SUPPRESSED, reason, reason.label, error)
