"""The tables of this package whose numbers are sealed anew under another key.

Owns how their rows are read and written, and what becomes of parked receipts. Must not decide when
(storage/key_rotation.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import NamedTuple

from storage import sql
from storage.crypto import NumberVault
from storage.number_rewrite import Batch, ById, Place, reseal
from storage.pool import Connection

_SQL = sql.load("dlr")


def tables() -> tuple[ById | EvidenceTable, ...]:
    """Events that webhooks told, and evidence about numbers."""
    event = ById("webhook_event", _SQL["webhook_event_sealed"], _SQL["webhook_event_seal"])
    return event, EvidenceTable()


async def park_both(connection: Connection, indexes: Mapping[bytes, bytes]) -> None:
    """Messages have moved to other indexes: old -> new. Receipts that wait for one find it still.

    In the transaction that moves them.
    """
    await connection.execute(_SQL["parked_indexes"], list(indexes), list(indexes.values()))


class EvidenceTable(NamedTuple):
    """Table number_evidence, whose key begins with the index."""

    name: str = "number_evidence"

    async def batch(
        self,
        connection: Connection,
        vault: NumberVault,
        after: Place,
        limit: int,
        now: datetime,
    ) -> Batch:
        """As Rewriting has it."""
        place = after or ["", -32_768, date.min.isoformat(), ""]
        rows = await connection.fetch(
            _SQL["evidence_sealed"],
            bytes.fromhex(str(place[0])), place[1], date.fromisoformat(str(place[2])), place[3],
            limit,
        )  # fmt: skip
        if not rows:
            return Batch(after, 0)
        last = rows[-1]
        found = Batch(
            [last["to_idx"].hex(), last["account"], last["day"].isoformat(), last["kind"]],
            len(rows),
        )
        key = "to_idx", "account", "day", "kind"
        await reseal(connection, vault, rows, key, _SQL["evidence_seal"], found)
        return found
