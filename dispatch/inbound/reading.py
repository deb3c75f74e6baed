"""Messages from handsets, as their accounts read them.

Owns the list and its page positions. Must not store (recorder.py) nor judge anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import asyncpg
import msgspec

from storage import sql
from storage.crypto import NumberVault
from storage.ids import ID_MAX, id_at
from storage.names import Registry
from storage.reading import reading

_SQL = sql.load("dispatch")

InboundPlace = int


class InboundView(msgspec.Struct, kw_only=True):
    """A message from a handset. `source` None: its number cannot be decrypted."""

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
    kind: str | None = None  # its class; None: a release before stored it
    name: str | None = None
    rating: int | None = None


class InboundFilter(msgspec.Struct, kw_only=True, frozen=True):
    """Messages received in [since, until), of one class; None: of any."""

    since: datetime | None = None
    until: datetime | None = None
    kind: str | None = None


class InboundMessages:
    """Reads over the reading connections."""

    def __init__(
        self, pool: asyncpg.Pool[asyncpg.Record], registry: Registry, vault: NumberVault
    ) -> None:
        self._pool = pool
        self._registry = registry
        self._vault = vault

    async def listed(
        self,
        accounts: Sequence[int],
        wanted: InboundFilter,
        *,
        before: InboundPlace | None,
        limit: int,
    ) -> list[InboundView]:
        first = 0 if wanted.since is None else id_at(wanted.since)
        end = ID_MAX if wanted.until is None else id_at(wanted.until)
        end = end if before is None else min(end, before)
        async with reading(self._pool) as connection:
            rows = await connection.fetch(
                _SQL["inbound_list"], accounts, first, end, limit, wanted.kind
            )
        return [
            InboundView(
                id=row["id"],
                source=self._vault.shown(row["from_enc"]),
                destination=row["destination"],
                text=row["text"],
                parts=row["parts"],
                parts_missing=row["parts_missing"],
                keyword=row["keyword"],
                answers=row["answers"],
                connector=self._registry.connector_name(row["connector"]),
                unclear=row["unclear"],
                read_as=row["read_as"],
                kind=row["class"],
                name=row["keyword_name"],
                rating=row["rating"],
            )
            for row in rows
        ]
