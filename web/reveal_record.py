"""What the HTTP edge needs to put on record that numbers were shown in clear.

Owns this seam and the shape that crosses it. Must not import what implements it.
"""

from __future__ import annotations

from typing import Protocol

import msgspec


class Revealed(msgspec.Struct, frozen=True):
    """What is about to be shown: which list, how many rows, the first and the last of them."""

    list: str
    rows: int
    first: str | None
    last: str | None


class RevealLog(Protocol):
    """The record of what was shown."""

    async def note(self, account: int, key_id: int, revealed: Revealed) -> None:
        """Committed. Raises Overloaded, StorageDown."""
