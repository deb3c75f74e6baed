"""The table of deliveries that are kept octet for octet.

Owns every statement on `raw_delivery`, how a PDU is encrypted for it, and the bound of a row. Must
not decide what is kept (kept.py). Each function runs inside the caller's transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import asyncpg
import msgspec

from dispatch.raw.kept import Kept
from dispatch.raw.unclear import Unclear
from smpp.events import MessageRequest
from smpp.message_pdu import message_octets
from smpp.pdu import encode
from storage import sql
from storage.crypto import NumberVault
from storage.pool import Connection

_SQL = sql.load("dispatch")
OCTETS_MAX = 8_192  # of one PDU: a text of 255 parts has a row for each
SLICE_ITEMS = 200


class RawRow(msgspec.Struct, frozen=True):
    """One row. `frame` None: it cannot be decrypted."""

    id: int
    connector: int
    receipt: bool
    unclear: str | None
    octets: int
    cut: bool
    frame: bytes | None
    reread: bool
    outcome: str | None


async def keep(connection: Connection, vault: NumberVault, kept: Sequence[Kept]) -> None:
    """Store these."""
    for start in range(0, len(kept), SLICE_ITEMS):
        if start:
            await asyncio.sleep(0)  # encrypting one takes 20 us
        rows = [_sealed(each, vault) for each in kept[start : start + SLICE_ITEMS]]
        await connection.execute(_SQL["raw_keep"], *zip(*rows, strict=True))


async def listed(
    connection: Connection,
    vault: NumberVault,
    connector: int,
    span: tuple[int, int],
    unclear: str | None,
    limit: int,
) -> list[RawRow]:
    """Rows of this span of ids, newest first."""
    rows = await connection.fetch(_SQL["raw_list"], connector, *span, unclear, limit)
    return [
        RawRow(
            id=row["id"],
            connector=row["connector"],
            receipt=row["receipt"],
            unclear=row["unclear"],
            octets=row["octets"],
            cut=row["cut"],
            frame=vault.open_octets(row["body_enc"], row["id"]),
            reread=row["reread_at"] is not None,
            outcome=row["outcome"],
        )
        for row in rows
    ]


async def lock_for_reread(
    connection: Connection,
    connector: int,
    span: tuple[int, int],
    reasons: Sequence[Unclear],
    limit: int,
) -> list[asyncpg.Record]:
    """Receipts with these reasons not yet applied again, oldest first, behind a place. Locked."""
    found: list[asyncpg.Record] = await connection.fetch(
        _SQL["raw_to_reread"], connector, *span, [str(reason) for reason in reasons], limit
    )
    return found


async def mark_reread(connection: Connection, outcomes: Mapping[int, str]) -> None:
    """Mark these (id -> what it changed) as applied."""
    if outcomes:
        ids = list(outcomes)
        await connection.execute(
            _SQL["raw_reread"], ids, list(outcomes.values()), min(ids), max(ids)
        )


def _sealed(kept: Kept, vault: NumberVault) -> tuple[object, ...]:
    frame, whole = _frame(kept.pdu)
    body = vault.seal_octets(frame[:OCTETS_MAX], kept.id)
    cut = not whole or len(frame) > OCTETS_MAX
    unclear = None if kept.unclear is None else str(kept.unclear)
    return kept.id, kept.connector, kept.receipt, unclear, len(frame), cut, body


def _frame(pdu: MessageRequest) -> tuple[bytes, bool]:
    """The PDU as it stood on the wire. Only its text, where the PDU cannot be written as it was
    read.
    """
    try:
        return encode(pdu), True
    except ValueError:
        return message_octets(pdu), False
