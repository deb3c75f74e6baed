"""The audit as it is read: filtered, newest first, page by page.

Owns that query and its shapes. Must not decide who may ask.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import asyncpg
import msgspec

from storage import sql
from storage.crypto import NumberVault
from storage.ids import ID_MAX, id_at
from storage.pool import Connection
from storage.reading import reading

_SQL = sql.load("storage")


class AuditFilter(msgspec.Struct, kw_only=True, frozen=True):
    """Rows in [since, until) with this action, this actor and one of these subjects; None: any."""

    action: str | None = None
    actor: str | None = None
    subjects: Sequence[bytes] | None = None
    since: datetime | None = None
    until: datetime | None = None


class AuditView(msgspec.Struct, kw_only=True):
    """One row. `seq` and `hash` None: it is not in the chain yet.

    `subject`: it is about a person. `erased`: whose index, and the reason given, are gone.
    """

    id: int
    seq: int | None
    account: int
    actor: str
    action: str
    subject: bool
    reason: str | None
    erased: bool
    detail: Mapping[str, object]
    hash: bytes | None


class AuditTrail:
    """The audit by a number in clear."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], vault: NumberVault) -> None:
        self._pool = pool
        self._vault = vault

    async def listed(
        self,
        accounts: Sequence[int],
        wanted: AuditFilter,
        *,
        number: str | None,
        before: int | None,
        limit: int,
    ) -> list[AuditView]:
        """As the function listed(); `number` in E.164 form, None: about anybody or nobody."""
        if number is not None:
            subjects = self._vault.indexes_ever(number)
            wanted = msgspec.structs.replace(wanted, subjects=subjects)
        async with reading(self._pool) as connection:
            return await listed(connection, accounts, wanted, before=before, limit=limit)


async def listed(
    connection: Connection,
    accounts: Sequence[int] | None,
    wanted: AuditFilter,
    *,
    before: int | None,
    limit: int,
) -> list[AuditView]:
    """Rows of these accounts (None: of all) with an id below `before`, newest first."""
    until = ID_MAX if wanted.until is None else id_at(wanted.until)
    rows = await connection.fetch(
        _SQL["audit_listed"],
        accounts,
        wanted.action,
        wanted.actor,
        wanted.subjects,
        0 if wanted.since is None else id_at(wanted.since),
        until if before is None else min(until, before),
        limit,
    )
    return [
        AuditView(
            id=row["id"],
            seq=row["seq"],
            account=row["account"],
            actor=row["actor"],
            action=row["action"],
            subject=row["subject"] or row["subject_hash"] is not None,
            reason=row["text"],
            erased=row["bare"] and bool(row["subject_hash"] or row["text_hash"]),
            detail=row["detail"] or {},
            hash=row["hash"],
        )
        for row in rows
    ]
