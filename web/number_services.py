"""What the API asks about numbers.

Owns the protocols that gateway/wiring fills in. Must not know how they are answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from recipients.number_check import Checked
from recipients.number_view import NumberView


class NumberReader(Protocol):
    """How a number fares."""

    async def number(self, accounts: Sequence[int], number: str) -> NumberView:
        """How a number fares with these accounts. Raises StorageDown."""


class NumberValidator(Protocol):
    """What to think of numbers before anything is sent to them."""

    async def check(self, account: int, numbers: Sequence[str], category: int) -> list[Checked]:
        """What to think of each, in order. Raises StorageDown."""
