"""The record of numbers shown in clear: one audit row a request.

Owns the group commit of those rows. Must not decide who may see a number (web/edge/reveals.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from storage import audit
from storage.audit import AuditEntry
from storage.group_commit import GroupCommit
from storage.ids import IdSource
from storage.one_commit import committed
from storage.pool import Dedicated

ACTION = "numbers.reveal"
ROWS_PER_FLUSH_MAX = 100
ROWS_WAITING_MAX = 1_000


class Revealed(msgspec.Struct, frozen=True):
    """What is about to be shown: which list, how many rows, the first and the last of them."""

    list: str
    rows: int
    first: str | None
    last: str | None


class RevealLog(Protocol):
    """The record of what was shown."""

    async def note(self, account: int, key_id: int, revealed: Revealed) -> None:
        """Returns once it is committed. Raises Overloaded, StorageDown."""


class AuditedReveals:
    """Implements RevealLog."""

    def __init__(self, dedicated: Dedicated, ids: IdSource) -> None:
        self._dedicated = dedicated
        self._ids = ids
        self.commits: GroupCommit[AuditEntry, None] = GroupCommit(
            self._flush,
            name="reveals",
            items_per_flush_max=ROWS_PER_FLUSH_MAX,
            items_waiting_max=ROWS_WAITING_MAX,
        )

    async def note(self, account: int, key_id: int, revealed: Revealed) -> None:
        detail = msgspec.structs.asdict(revealed)
        entry = AuditEntry(self._ids.next(), account, f"key {key_id}", ACTION, None, detail)
        await committed(self.commits, entry)

    async def close(self) -> None:
        """Store what was asked for, then stop."""
        await self.commits.close()

    async def _flush(self, entries: list[AuditEntry], _attempt: int) -> Sequence[None]:
        async with self._dedicated.transaction() as connection:
            await audit.append(connection, entries)
        return [None] * len(entries)
