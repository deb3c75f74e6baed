"""What the HTTP edge needs of the consent ledger.

Owns this seam and the shapes that cross it. Must not import what implements it. Numbers are in
E.164: the API masks them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

import msgspec


class ConsentFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What an entry says, but of whom."""

    category: int
    granted: bool
    source: str
    text_version: str | None
    evidence: str | None
    at: datetime


class ConsentWord(ConsentFacts, frozen=True, kw_only=True):
    """What is to be recorded, checked."""

    number: str


class ConsentView(ConsentFacts, frozen=True, kw_only=True):
    """The same, recorded. `number` None: it cannot be read."""

    id: int
    number: str | None
    recorded_at: datetime


class ConsentLedger(Protocol):
    """Where consents are kept. Both raise StorageDown."""

    async def record(self, account: int, word: ConsentWord) -> ConsentView:
        """Committed. Raises Overloaded."""

    async def entries(
        self, account: int, *, number: str | None, before: int | None, limit: int
    ) -> list[ConsentView]:
        """The latest recorded first, before an id."""
