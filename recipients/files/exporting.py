"""The suppression list as a whole, page by page, and the record of what leaves.

Owns the walk over the list. Must not write a file's form. No transaction is open between two pages,
so what changes meanwhile is there or not.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

import asyncpg

from recipients.files.comparing import Comparison
from recipients.partner_hash import PartnerKey
from recipients.suppression_desk import SuppressionView, shown
from storage import audit, suppression
from storage.audit import AuditEntry
from storage.crypto import NumberVault
from storage.faults import or_storage_down
from storage.ids import IdSource
from storage.pool import Connection, Dedicated
from storage.reading import reading
from storage.suppression import FIRST

PAGE_ROWS = 500  # 5 ms of the event loop, most of it for opening numbers


class ExportDesk:
    """Implements SuppressionExports."""

    def __init__(
        self,
        pool: asyncpg.Pool[asyncpg.Record],
        dedicated: Dedicated,
        *,
        open_connection: Callable[[str], Awaitable[Connection]],
        partners: Mapping[str, PartnerKey],
        vault: NumberVault,
        ids: IdSource,
    ) -> None:
        """`partners`: the keys that are shared with partners, by name."""
        self.partners = partners
        self._pool = pool
        self._dedicated = dedicated
        self._open_connection = open_connection
        self._vault = vault
        self._ids = ids
        self._turn = asyncio.Lock()  # of the one connection

    async def note(
        self, account: int, actor: str, action: str, detail: Mapping[str, object]
    ) -> None:
        """Put on record what is about to leave. Raises StorageDown."""
        entry = AuditEntry(self._ids.next(), account, actor, action, None, detail)
        with or_storage_down():
            async with self._turn, self._dedicated.transaction() as connection:
                await audit.append(connection, [entry])

    async def count(self, accounts: Sequence[int]) -> int:
        """How many entries in force these accounts have. Raises StorageDown."""
        async with reading(self._pool) as connection:
            return await suppression.count(connection, accounts)

    async def entries(self, accounts: Sequence[int]) -> AsyncIterator[list[SuppressionView]]:
        """All entries in force of these accounts, in pages. Raises StorageDown."""
        after = FIRST
        while True:
            async with reading(self._pool) as connection:
                found = await suppression.exported(connection, accounts, after, PAGE_ROWS)
            if not found:
                return
            after = found[-1].key
            yield [shown(entry, self._vault) for entry in found]

    async def comparison(self, partner: PartnerKey) -> Comparison:
        """Room for a partner's hashes. Raises StorageDown."""
        return await Comparison.begin(self._open_connection, partner)
