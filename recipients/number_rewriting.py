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
from storage.number_rewrite import Batch, ById, Place
from storage.pool import Connection

_SQL = sql.load("recipients")


def tables() -> tuple[ById | Keyed | Preferences, ...]:
    """Suppressions, counts, wishes, consents, complaints and erasures."""
    return (
        Keyed("suppression"),
        Keyed("frequency"),
        Preferences(),
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


class Preferences(NamedTuple):
    """Table preference, whose key has the index."""

    name: str = "preference"

    async def batch(
        self,
        connection: Connection,
        vault: NumberVault,
        after: Place,
        limit: int,
        now: datetime,
    ) -> Batch:
        """As Rewriting has it."""
        account, category, idx = after or [-32_768, -32_768, ""]
        place = account, category, bytes.fromhex(str(idx))
        rows = await connection.fetch(_SQL["preference_sealed"], *place, limit)
        if not rows:
            return Batch(after, 0)
        last = rows[-1]
        found = Batch([last["account"], last["category"], last["to_idx"].hex()], len(rows))
        moves = []
        for row in rows:
            if vault.is_current(row["to_enc"]):
                continue
            number = vault.open_or_none(row["to_enc"])
            if number is None:
                found.left += 1
                continue
            key = row["account"], row["category"], row["to_idx"]
            moves.append((*key, vault.index(number), vault.seal(number)))
        if moves:
            columns = [list(column) for column in zip(*moves, strict=True)]
            await connection.execute(_SQL["preference_seal"], *columns)
        found.moved = len(moves)
        return found
