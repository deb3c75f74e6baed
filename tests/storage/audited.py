"""Entries of the audit for the tests beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from storage import audit
from storage.audit import AuditEntry
from storage.ids import IdSource
from storage.pool import Connection

SUBJECT = bytes.fromhex("00112233445566778899aabbccddeeff")
START_MS = 1_796_083_200_000
NOTHING: Mapping[str, object] = MappingProxyType({})


def entries(
    count: int, ids: IdSource, *, subject: bytes | None = SUBJECT, text: str | None = None
) -> list[AuditEntry]:
    """That many additions to the suppression list by key 7 of account 1."""
    return [
        AuditEntry(ids.next(), 1, "key 7", "suppression.add", subject, {"category": 3}, text)
        for _ in range(count)
    ]


async def chain(connection: Connection, count: int = 6) -> Sequence[AuditEntry]:
    """A chain of that many rows, each with its subject and a reason."""
    made = entries(count, IdSource(1, lambda: START_MS), text="complaint 4711")
    await audit.append(connection, made)
    return made
