"""What the HTTP edge needs of deliveries that were kept octet for octet.

Owns this seam and the shapes that cross it. Must not import what implements it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

import msgspec

from dispatch.raw.reading import DecodedDelivery


class RawFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Of this connector, delivered in [since, until); `unclear`: for this reason only."""

    connector: str
    since: datetime | None = None
    until: datetime | None = None
    unclear: str | None = None


class RawDeliveryView(msgspec.Struct, frozen=True, kw_only=True):
    """One delivery. `body` None: it cannot be opened."""

    id: int
    receipt: bool
    unclear: str | None
    octets: int
    cut: bool
    body: bytes | None
    decoded: DecodedDelivery | None
    outcome: str | None


class RawDeliveries(Protocol):
    """What carriers delivered."""

    async def listed(
        self, wanted: RawFilter, *, before: int | None, limit: int
    ) -> list[RawDeliveryView] | None:
        """Newest first, before an id; None for a connector there is not. Raises StorageDown."""
