"""What an opt-out page shows and asks for, and the book that it asks.

Owns these shapes. Must not know what an opt-out does: whoever implements OptOutBook does.
"""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from storage.categories import Category

EVERY = -1  # a category: each of them
OFFERED = (Category.MARKETING, Category.SERVICE, Category.TRANSACTIONAL)
MONTH_CHOICES = (1, 2, 4, 8)  # marketing messages in 30 days

Language = Literal["en", "zh"]
How = Literal["page", "one_click"]


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How it stands between a recipient and the sender of one message.

    `usual`: the category that one press ends, or EVERY. `ended`: categories whose messages a
    person's word has ended; `fixed`: those of them that this page cannot take back. `month_max`:
    the wished number of marketing messages in 30 days; None: any. `days`: those on which they are
    welcome, 1 for Monday to 64 for Sunday, added up; None: any.
    """

    name: str
    language: Language
    usual: int
    ended: frozenset[int]
    fixed: frozenset[int]
    month_max: int | None
    days: int | None
    asks_month: bool

    @property
    def out(self) -> bool:
        """Whether what one press ends has ended."""
        return self.ended >= (set(Category) if self.usual == EVERY else {self.usual})


class Stop(msgspec.Struct, frozen=True):
    """End the usual category, or every one."""

    everything: bool = False


class Undo(msgspec.Struct, frozen=True):
    """Take back what this page ended."""


class Choose(msgspec.Struct, frozen=True):
    """Of OFFERED, end what is not in `wanted` and take back the rest. `month_max`: one of
    MONTH_CHOICES; None: any number. `days` as in Standing.
    """

    wanted: frozenset[int]
    month_max: int | None = None
    days: int | None = None


Wish = Stop | Undo | Choose


class OptOutBook(Protocol):
    """Where opt-outs are in force. Raises StorageDown and Overloaded."""

    async def standing(self, message_id: int) -> Standing | None:
        """None: the message is deleted, so nobody knows whose link it is. Changes nothing."""

    async def change(
        self, message_id: int, wish: Wish, *, how: How, network: str
    ) -> Standing | None:
        """How it stands after the wish, which is committed. `network`: truncated, as evidence."""
