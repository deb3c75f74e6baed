"""The audit table: who changed or saw what, when and why. It is a chain, and only grows.

Owns the writes of `audit`. Must not hold a telephone number: the subject is its keyed index.
Whoever changes something appends here in the same transaction.

Rows get their places at the COMMIT, under the lock of `audit_head`. So it is the last lock of every
transaction, wherever in it append() was called. A transaction of isolation REPEATABLE READ would
fail there, and must not append.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence

import msgspec

from storage import sql
from storage.audit_chain import SALT_BYTES, Said, around_seq, commitment, moment
from storage.audit_detail import check
from storage.ids import IdSource
from storage.pool import Connection

_SQL = sql.load("storage")
REASON_CHARACTERS_MAX = 500
STATEMENT_ENTRIES_MAX = 500
ADOPTED_PER_TURN_MAX = STATEMENT_ENTRIES_MAX
ADOPT = "audit.adopt"
CUT = "audit.cut"
JOB = "job"  # the actor of what the gateway does by itself


class AuditEntry(msgspec.Struct, gc=False, frozen=True):
    """One change. `id` is ordered by time, and so says when. `actor`: such as "key 7" or
    "keyword".

    `subject` is a keyed index of 16 octets. `detail` holds what audit_detail.py knows. `text`: the
    reason that somebody gave, up to REASON_CHARACTERS_MAX characters. It is erased with the person.
    """

    id: int
    account: int
    actor: str
    action: str
    subject: bytes | None
    detail: Mapping[str, object]
    text: str | None = None


async def append(connection: Connection, entries: Sequence[AuditEntry]) -> None:
    """Append these rows inside the caller's transaction. An id that stands already is skipped.

    It costs about 0.2 ms, and 25 us a row.
    Raises DetailRefused for a detail that is not in the list.
    """
    for entry in entries:
        check(entry.detail)
    for start in range(0, len(entries), STATEMENT_ENTRIES_MAX):
        await _store(connection, entries[start : start + STATEMENT_ENTRIES_MAX])


async def adopt(connection: Connection, ids: IdSource) -> int:
    """Put rows of a release without the chain at its end, the oldest first, with a row that says
    so. Returns how many, up to ADOPTED_PER_TURN_MAX.
    """
    async with connection.transaction():
        rows = await connection.fetch(_SQL["audit_take_unlinked"], ADOPTED_PER_TURN_MAX)
        if not rows:
            return 0
        entries = [
            AuditEntry(
                row["id"], row["account"], row["actor"], row["action"], row["subject"],
                row["detail"] or {},
            )
            for row in sorted(rows, key=lambda row: row["id"])
        ]  # fmt: skip
        await _store(connection, entries)
        await append(connection, [AuditEntry(ids.next(), 0, JOB, ADOPT, None, {"rows": len(rows)})])
    return len(rows)


async def _store(connection: Connection, entries: Sequence[AuditEntry]) -> None:
    salts: list[bytes | None] = []
    said: list[Said] = []
    for entry in entries:
        subject, text = entry.subject, entry.text
        salt = secrets.token_bytes(SALT_BYTES)
        salts.append(None if subject is None and text is None else salt)
        said.append(
            Said(
                id=entry.id,
                at=moment(entry.id),
                account=entry.account,
                actor=entry.actor,
                action=entry.action,
                detail=entry.detail,
                subject_hash=None if subject is None else commitment(b"s", salt, subject),
                text_hash=None if text is None else commitment(b"t", salt, text.encode()),
            )
        )
    pieces = [around_seq(each) for each in said]
    await connection.execute(
        _SQL["audit_append"],
        [entry.id for entry in entries],
        [entry.account for entry in entries],
        [entry.actor for entry in entries],
        [entry.action for entry in entries],
        [entry.subject for entry in entries],
        salts,
        [entry.text for entry in entries],
        [msgspec.json.encode(entry.detail).decode() for entry in entries],
        [each.subject_hash for each in said],
        [each.text_hash for each in said],
        [head for head, _ in pieces],
        [tail for _, tail in pieces],
    )
