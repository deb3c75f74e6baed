"""What the HTTP edge needs to know of the audit and of persons: protocols, nothing concrete.

Owns that seam. Must not import what implements it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from recipients.persons import Asked, Erasure
from recipients.proof import Proof
from storage.audit_reading import AuditFilter, AuditView


class AuditReader(Protocol):
    """Who changed or saw what."""

    async def listed(
        self,
        accounts: Sequence[int],
        wanted: AuditFilter,
        *,
        number: str | None,
        before: int | None,
        limit: int,
    ) -> list[AuditView]:
        """Rows before an id, newest first; of a number, if one is named. Raises StorageDown."""


class PersonDesk(Protocol):
    """Everything that is stored about one person."""

    def export(self, asked: Asked) -> AsyncIterator[dict[str, object]]:
        """Every row as a line, between a first and a last one. Raises Overloaded, StorageDown."""

    async def erase(self, asked: Asked) -> Erasure:
        """On record, and under way. Raises PersonWaits, StorageDown."""

    async def erasure(self, account: int | None, identifier: int) -> Erasure | None:
        """How far one of this account is. Raises StorageDown."""


class ProofReader(Protocol):
    """All that is on record of one number."""

    async def proof(self, account: int, number: str) -> Proof:
        """As one state of the database has it. Raises StorageDown."""
