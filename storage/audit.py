"""The audit table: who changed what, and when.

Owns the writes of `audit`, which only ever grows. Must not hold a telephone number: the subject is
its keyed index. Whoever changes something appends here in the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from storage import sql
from storage.pool import Connection

_SQL = sql.load("storage")


class AuditEntry(msgspec.Struct, gc=False, frozen=True):
    """One change. `id` is ordered by time, and so says when. `actor`: such as "key 7" or
    "keyword".
    """

    id: int
    account: int
    actor: str
    action: str
    subject: bytes | None
    detail: Mapping[str, object]


async def append(connection: Connection, entries: Sequence[AuditEntry]) -> None:
    """Append these rows inside the caller's transaction."""
    if entries:
        await connection.execute(
            _SQL["audit_append"],
            [entry.id for entry in entries],
            [entry.account for entry in entries],
            [entry.actor for entry in entries],
            [entry.action for entry in entries],
            [entry.subject for entry in entries],
            [msgspec.json.encode(entry.detail).decode() for entry in entries],
        )
