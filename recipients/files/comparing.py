"""A partner's list of hashes beside ours, without a number on the way.

Owns the comparison: the partner's hashes wait in a table of one session, and ours are made page by
page. Must not write a file's form. Nothing of it is kept.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import asyncpg
import msgspec

from recipients.partner_hash import PartnerKey
from recipients.suppression_desk import SuppressionView
from storage import sql
from storage.faults import or_storage_down
from storage.pool import Connection, close_connection

TABLE = "partner_hash"

_SQL = sql.load("recipients")


class Compared(msgspec.Struct, frozen=True):
    """An entry of ours, and the line of the partner's list that has its number."""

    line: int
    entry: SuppressionView


class Comparison:
    """One partner's list. close() ends it."""

    def __init__(self, connection: Connection, partner: PartnerKey) -> None:
        self._connection = connection
        self._partner = partner

    @classmethod
    async def begin(
        cls, open_connection: Callable[[str], Awaitable[Connection]], partner: PartnerKey
    ) -> Comparison:
        """Room for its hashes. Raises StorageDown."""
        with or_storage_down():
            connection = await open_connection("compare")
            await connection.execute(_SQL["partner_hashes"])
        return cls(connection, partner)

    async def add(self, hashes: Sequence[tuple[int, bytes]]) -> None:
        """The next hashes, each with its line. Raises StorageDown."""
        with or_storage_down():
            await self._connection.copy_records_to_table(
                TABLE, records=hashes, columns=("line", "hash")
            )

    async def matches(
        self, pages: AsyncIterator[list[SuppressionView]]
    ) -> AsyncIterator[list[Compared]]:
        """Those of these entries whose number is on the list, in either of its forms.

        Raises StorageDown.
        """
        with or_storage_down():
            await self._connection.execute(_SQL["partner_hashes_index"])
            await self._connection.execute(_SQL["partner_hashes_analyze"])
        async for page in pages:
            hashes = [
                () if each.number is None else self._partner.hashes(each.number) for each in page
            ]
            lines = await self._lines([one for several in hashes for one in several])
            yield [
                Compared(min(found), each)
                for each, several in zip(page, hashes, strict=True)
                if (found := [lines[one] for one in several if one in lines])
            ]

    async def close(self) -> None:
        """Forget the list."""
        await close_connection(self._connection)

    async def _lines(self, hashes: Sequence[bytes]) -> dict[bytes, int]:
        with or_storage_down():
            rows: list[asyncpg.Record] = await self._connection.fetch(
                _SQL["partner_hashes_of"], hashes
            )
        return {row["hash"]: row["line"] for row in rows}
