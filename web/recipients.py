"""What the HTTP edge needs to know of recipients: what they wrote, who must not be texted, how a
number fares.

Owns this seam and the shapes that cross it, as services.py does for the rest. Must not import what
implements it. Numbers are in E.164: the API masks them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import msgspec


class InboundView(msgspec.Struct, kw_only=True):
    """A message from a handset. `source` None: it cannot be read."""

    id: int
    source: str | None
    destination: str
    text: str
    parts: int
    parts_missing: int
    keyword: str | None
    answers: int | None
    connector: str | None
    unclear: str | None = None
    read_as: str | None = None


class InboundFilter(msgspec.Struct, kw_only=True, frozen=True):
    """Messages received in [since, until)."""

    since: datetime | None = None
    until: datetime | None = None


class SuppressionFilter(msgspec.Struct, kw_only=True, frozen=True):
    """Entries of this source and this category (-1: those of every one); None: of any."""

    source: str | None = None
    category: int | None = None


class SuppressionView(msgspec.Struct, kw_only=True):
    """One entry. `number` None: its evidence is gone, or it is `unreadable`."""

    number: str | None
    unreadable: bool = False
    to_idx: bytes
    account: int
    category: int
    reason: str
    source: str
    detail: str | None
    created_at: datetime
    expires_at: datetime | None


class Suppress(msgspec.Struct, frozen=True):
    """An entry that is asked for. `category` -1: every one."""

    number: str
    category: int
    reason: int
    expires_at: datetime | None


class NumberView(msgspec.Struct, kw_only=True):
    """How a number fares: what was sent to it of late, and what stands against texting it."""

    fault: str | None  # why it is no valid number
    country: str | None
    kind: str | None
    messages: int
    complete: bool = True  # else there are more, and older ones, that are not counted
    delivered: int
    failed: int
    last_sent_at: datetime | None
    last_delivered_at: datetime | None
    last_failure: str | None  # the reason
    suppressions: Sequence[SuppressionView]
    last_opted_out_at: datetime | None


InboundPlace = int
SuppressionPlace = tuple[datetime, bytes, int, int]


class Recipients(Protocol):
    """Everything here raises StorageDown. `accounts` are those a key may see."""

    async def inbound(
        self,
        accounts: Sequence[int],
        wanted: InboundFilter,
        *,
        before: InboundPlace | None,
        limit: int,
    ) -> list[InboundView]:
        """Newest first, behind a place."""

    async def suppressions(
        self,
        accounts: Sequence[int],
        wanted: SuppressionFilter,
        *,
        after: SuppressionPlace | None,
        limit: int,
    ) -> list[SuppressionView]:
        """Newest first, behind a place."""

    async def suppress(self, account: int, actor: str, entries: Sequence[Suppress]) -> list[bool]:
        """For each whether it is new; committed, and in force. Raises Overloaded."""

    async def allow(
        self, accounts: Sequence[int], actor: str, number: str, category: int | None
    ) -> int:
        """Take out the entries of a number; returns how many there were. Raises Overloaded."""

    async def number(self, accounts: Sequence[int], number: str) -> NumberView:
        """How a number fares with these accounts."""
