"""What the endpoints for conversions need: a small protocol.

Owns it. Must not import what implements it: gateway/wiring fills it in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from shortlinks.conversions import Attribution, ConversionWord, Outcome


class ConversionBook(Protocol):
    """What an account's links led to."""

    async def record(self, account: int, words: Sequence[ConversionWord]) -> list[Outcome]:
        """One outcome each, in their order, once committed. Raises Overloaded, StorageDown."""

    def rule(self, account: int) -> Attribution:
        """Which click counts for an account."""

    def click(self, text: str) -> int | None:
        """The click that an id names; None: it is none of ours."""

    def click_text(self, click_id: int) -> str:
        """As a link's target was told."""

    def link(self, text: str) -> tuple[int, int] | None:
        """Number and slot of a short link or its code; None: it is none of ours."""
