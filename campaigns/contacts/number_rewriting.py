"""The table of this room whose numbers are sealed anew under another key.

Owns how its rows are read and written. Must not decide when (storage/key_rotation.py).

While a campaign is planned none is: its recipients would be written down under an index that nobody
has any more.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from storage import sql
from storage.crypto import NumberVault
from storage.number_rewrite import Batch, ByIndex, Place
from storage.pool import Connection

_SQL = sql.load("campaigns")
_TABLE = ByIndex(
    "contact_number", ("account",), _SQL["contact_number_sealed"], _SQL["contact_number_seal"]
)


def tables() -> tuple[ContactNumbers, ...]:
    """Numbers of contacts."""
    return (ContactNumbers(),)


class ContactNumbers(NamedTuple):
    """Table contact_number, with the plans that name its indexes."""

    name: str = _TABLE.name

    async def batch(
        self,
        connection: Connection,
        vault: NumberVault,
        after: Place,
        limit: int,
        now: datetime,
    ) -> Batch:
        """As Rewriting has it. While a plan is made it goes on at the same place."""
        if not await connection.fetchval(_SQL["plan_hold_alone"]):
            return Batch(after, limit)
        return await _TABLE.batch(connection, vault, after, limit, now)
