"""Which caps hold for a recipient: the account's, their own wish, those of groups, of engagement.

Owns that list. Must not decide what is too much (recipients/caps.py does), nor count.

Groups and engagement are known above this package. So a PersonCaps is asked for them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from dispatch.message import MessageOptions
from recipients import preferences
from recipients.caps import NO_CAPS, Caps, Rule, Ruled
from recipients.frequency import NONE_OLD, Number, Old
from storage.categories import Category
from storage.pool import Connection


class PersonCaps(Protocol):
    """Caps on marketing that depend on who the recipient is to the account."""

    def concerns(self, account: int) -> bool:
        """Whether somebody of this account may have some. Asked for each message."""

    async def of(
        self, connection: Connection, numbers: Collection[Number], old: Old
    ) -> Mapping[Number, list[Ruled]]:
        """Those of these numbers; one without any has no entry. `old`: other indexes of theirs."""


class Nobody:
    """Implements PersonCaps: there are none."""

    def concerns(self, account: int) -> bool:
        """Of nobody."""
        return False

    async def of(
        self, connection: Connection, numbers: Collection[Number], old: Old
    ) -> Mapping[Number, list[Ruled]]:
        """None."""
        return {}


NOBODY = Nobody()


class CapRules:
    """The caps of each account and category that has some."""

    def __init__(
        self,
        caps: Mapping[tuple[int, int], Caps],
        wishing: Collection[int] = frozenset(),
        persons: PersonCaps = NOBODY,
    ) -> None:
        """`wishing`: accounts whose recipients may say how much marketing they want."""
        self._caps = dict.fromkeys(
            ((account, int(Category.MARKETING)) for account in wishing), NO_CAPS
        )
        self._caps |= {key: value for key, value in caps.items() if value}
        self._wishing = frozenset(wishing)
        self._persons = persons

    def concern(self, account: int, category: int, options: MessageOptions | None) -> bool:
        """Whether some cap may hold; never in the sandbox."""
        if options is not None and options.sandbox:
            return False
        return (account, category) in self._caps or (
            category == Category.MARKETING and self._persons.concerns(account)
        )

    async def of(
        self, connection: Connection, numbers: Collection[Number], old: Old = NONE_OLD
    ) -> dict[Number, list[Ruled]]:
        """The caps of each of these numbers, the most personal first. A few statements for all."""
        found: dict[Number, list[Ruled]] = {number: [] for number in numbers}
        asked = {number for number in numbers if number[0] in self._wishing}
        wishes = await preferences.wishes(connection, with_old(asked, old))
        for number, wish in wishes.items():
            if wish.month_max is not None:
                ruled = Ruled(Rule.WISH, Caps(month=wish.month_max))
                found[old.get(number, number)].append(ruled)
        known = {
            number
            for number in numbers
            if number[1] == Category.MARKETING and self._persons.concerns(number[0])
        }
        if known:
            for number, rules in (await self._persons.of(connection, known, old)).items():
                found[number].extend(rules)
        for number, rules in found.items():
            caps = self._caps.get(number[:2], NO_CAPS)
            if caps:
                rules.append(Ruled(Rule.ACCOUNT, caps))
        return found


def with_old(numbers: set[Number], old: Old) -> set[Number]:
    """These, and the other indexes that they may stand under."""
    return numbers | {other for other, number in old.items() if number in numbers}
