"""The tables of this package whose numbers are sealed anew under another key.

Owns how their rows are read and written. Must not decide when (storage/key_rotation.py) nor how
duplicates become one: index_rewrite.py does the same work within one key.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from recipients.index_rewrite import BEGINNING, Cursor, IndexRewrite
from storage import sql
from storage.crypto import NumberVault
from storage.number_rewrite import Batch, ById, ByIndex, Place
from storage.pool import Connection

_SQL = sql.load("recipients")


def tables() -> tuple[Keyed | ById | ByIndex, ...]:
    """Suppressions, counts, wishes, consents, complaints and erasures."""
    return (
        Keyed("suppression"),
        Keyed("frequency"),
        ByIndex(
            "preference",
            ("account", "category"),
            _SQL["preference_sealed"],
            _SQL["preference_seal"],
        ),
        ById("consent", _SQL["consent_sealed"], _SQL["consent_seal"]),
        ById("complaint", _SQL["complaint_sealed"], _SQL["complaint_seal"]),
        ById("person_erasure", _SQL["erasure_sealed"], _SQL["erasure_seal"]),
    )


class Keyed(NamedTuple):
    """A table whose key has the index."""

    name: str

    async def batch(
        self,
        connection: Connection,
        vault: NumberVault,
        after: Place,
        limit: int,
        now: datetime,
    ) -> Batch:
        """As Rewriting has it."""
        cursor = BEGINNING
        if after:
            account, category, idx, row_id = after
            cursor = Cursor(int(account), int(category), bytes.fromhex(str(idx)), int(row_id))
        job = IndexRewrite(vault, rows_per_batch=limit)
        done = await job.rows(connection, self.name, cursor, now)
        last = done.cursor
        place: Place = [
            last.after_account, last.after_category, last.after_idx.hex(), last.after_id,
        ]  # fmt: skip
        return Batch(place, done.rows, done.moved, done.left)
