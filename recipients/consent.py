"""The consent ledger: who allowed an account to send what. Append-only.

Owns the table `consent`. Must not decide which messages need consent.

A person's latest word counts, by when it was given and not by when it was recorded. So an old form
that is typed in today does not undo a withdrawal.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from types import MappingProxyType

import msgspec

from storage import sql
from storage.pool import Connection

_SQL = sql.load("recipients")
ID_MAX = 2**63 - 1


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    """One word of one person. `granted` False: consent is withdrawn."""

    account: int
    category: int
    to_idx: bytes
    to_enc: bytes
    granted: bool
    source: str
    text_version: str | None
    evidence: str | None
    at: datetime


class RecordedConsent(msgspec.Struct, frozen=True, kw_only=True):
    """The same, as it stands in the ledger."""

    id: int
    category: int
    to_enc: bytes
    granted: bool
    source: str
    text_version: str | None
    evidence: str | None
    at: datetime
    recorded_at: datetime


async def record(connection: Connection, consent: Consent) -> RecordedConsent:
    """Append one word."""
    row = await connection.fetchrow(
        _SQL["consent_add"],
        consent.account, consent.category, consent.to_idx, consent.to_enc, consent.granted,
        consent.source, consent.text_version, consent.evidence, consent.at,
    )  # fmt: skip
    assert row is not None
    return RecordedConsent(
        id=row["id"],
        category=consent.category,
        to_enc=consent.to_enc,
        granted=consent.granted,
        source=consent.source,
        text_version=consent.text_version,
        evidence=consent.evidence,
        at=consent.at,
        recorded_at=row["recorded_at"],
    )


async def granted(
    connection: Connection,
    recipients: Collection[bytes],
    accounts: Collection[int],
    old: Mapping[bytes, bytes] = MappingProxyType({}),
) -> set[tuple[bytes, int, int]]:
    """Those of these (recipient, account, category) for which consent holds now.

    `old`: other indexes of some recipients, and whose they are. A person's latest word counts,
    whichever index it stands under.
    """
    if old:
        forms = [*zip(recipients, recipients, strict=True), *old.items()]
        columns = list(zip(*forms, strict=True))
        rows = await connection.fetch(_SQL["consent_of_forms"], *columns, list(accounts))
    else:
        rows = await connection.fetch(_SQL["consent_standing"], list(recipients), list(accounts))
    return {(row["to_idx"], row["account"], row["category"]) for row in rows if row["granted"]}


async def ledger(
    connection: Connection,
    account: int,
    *,
    indexes: Collection[bytes] | None,
    before: int,
    limit: int,
) -> list[RecordedConsent]:
    """An account's entries, the latest recorded first; of one number, or of all (None)."""
    rows = await connection.fetch(_SQL["consents"], account, indexes, before, limit)
    return [RecordedConsent(**dict(row.items())) for row in rows]


async def page(connection: Connection, after_id: int, limit: int) -> list[tuple[int, bytes, bytes]]:
    """(id, index, encrypted number) of the entries behind one, in order."""
    rows = await connection.fetch(_SQL["consent_page"], after_id, limit)
    return [(row["id"], row["to_idx"], row["to_enc"]) for row in rows]


async def move(connection: Connection, moves: Mapping[int, bytes]) -> None:
    """Put entries under another index of the same person. Nothing that was said changes."""
    await connection.execute(_SQL["consent_move"], list(moves), list(moves.values()))
