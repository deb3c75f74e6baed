"""Kept deliveries behind the API: decrypted, and read by the connector's settings of today.

Owns the implementation of web/raw_deliveries.py's protocol. Must not write, and must not decide who
may see them (web/raw_api.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

import asyncpg
import msgspec

from dispatch.raw import rows
from dispatch.raw.reading import DecodedDelivery, decoded, pdu_of
from dispatch.raw.rows import RawRow
from smpp.encoding import TextSettings
from smpp.pdu import HEADER_OCTETS
from storage.crypto import NumberVault
from storage.ids import ID_MAX, id_at
from storage.names import Registry
from storage.reading import reading

SLICE_ITEMS = 100


class RawFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Deliveries of this connector in [since, until). `unclear`: those with this reason only."""

    connector: str
    since: datetime | None = None
    until: datetime | None = None
    unclear: str | None = None


class RawDeliveryView(msgspec.Struct, frozen=True, kw_only=True):
    """One delivery. `body` None: it cannot be decrypted."""

    id: int
    receipt: bool
    unclear: str | None
    octets: int
    cut: bool
    body: bytes | None
    decoded: DecodedDelivery | None
    outcome: str | None


class RawDesk:
    """Implements RawDeliveries."""

    def __init__(
        self,
        pool: asyncpg.Pool[asyncpg.Record],
        *,
        vault: NumberVault,
        registry: Registry,
        texts: Callable[[int], TextSettings],
    ) -> None:
        """`texts`: how the connector with this number writes."""
        self._pool = pool
        self._vault = vault
        self._registry = registry
        self._texts = texts

    async def listed(
        self, wanted: RawFilter, *, before: int | None, limit: int
    ) -> list[RawDeliveryView] | None:
        connector = self._registry.connectors.get(wanted.connector)
        if connector is None:
            return None
        first = 0 if wanted.since is None else id_at(wanted.since)
        end = ID_MAX if wanted.until is None else id_at(wanted.until)
        span = (first, end if before is None else min(end, before))
        async with reading(self._pool) as connection:
            found = await rows.listed(
                connection, self._vault, connector, span, wanted.unclear, limit
            )
        views: list[RawDeliveryView] = []
        for row in found:
            views.append(_view(row, self._texts(connector)))
            if len(views) % SLICE_ITEMS == 0:
                await asyncio.sleep(0)
        return views


def _view(row: RawRow, settings: TextSettings) -> RawDeliveryView:
    pdu = None if row.frame is None else pdu_of(row.frame)
    return RawDeliveryView(
        id=row.id,
        receipt=row.receipt,
        unclear=row.unclear,
        octets=row.octets,
        cut=row.cut,
        body=row.frame if row.frame is None or pdu is None else row.frame[HEADER_OCTETS:],
        decoded=None if pdu is None else decoded(pdu, settings),
        outcome=row.outcome if row.reread else None,
    )
