"""Migration of keyed indexes: from those of the release before to one for each subscriber.

Owns the job that goes through suppression, consent and caps, and when look-ups may stop asking for
both. Must not decide which forms a number has (storage/subscribers.py) nor how duplicates become
one (the tables' packages).

A batch is one transaction with its cursor: killed anywhere, it goes on where it was. It waits until
no gateway of the release before is left, which would write behind its back.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import msgspec
import structlog

from recipients import consent, frequency
from storage import sql, suppression
from storage.crypto import NumberVault
from storage.pool import Connection
from storage.subscribers import canonical, stored_before

_SQL = sql.load("recipients")
_log = structlog.get_logger(__name__)

ROWS_PER_BATCH = 1_000
BATCHES_PER_TURN_MAX = 5  # what else is due waits for them


class Cursor(msgspec.Struct, frozen=True):
    """The key of the last row looked at. Which fields count depends on the table."""

    after_account: int
    after_category: int
    after_idx: bytes
    after_id: int


BEGINNING = Cursor(-32_768, -32_768, b"", 0)


class Batch(msgspec.Struct):
    """What became of the rows of one batch."""

    cursor: Cursor
    rows: int
    moved: int = 0
    left: int = 0


class IndexRewrite:
    """The job, one for the process. `turn` costs nothing once everything is done."""

    TABLES: ClassVar = ("suppression", "consent", "frequency")

    def __init__(self, vault: NumberVault, *, rows_per_batch: int = ROWS_PER_BATCH) -> None:
        self._vault = vault
        self._rows_per_batch = rows_per_batch
        self._done = False

    async def turn(self, connection: Connection, now: datetime) -> bool:
        """Do a bounded number of batches, unless another process is at it. Returns whether all is
        done.
        """
        if self._done:
            return True
        states = await connection.fetch(_SQL["rewrite_states"])
        if all(row["done"] for row in states):
            self._done = True
            left = sum(row["rows_left"] for row in states)
            # A row whose number is unknown may belong to anybody who is looked for.
            self._vault.rewritten = left == 0
            _log.info("indexes_rewritten", left=left)
            return True
        batches = 0
        for row in states:
            while not row["waits"] and not row["done"] and batches < BATCHES_PER_TURN_MAX:
                batches += 1
                if await self.batch(connection, row["name"], now):
                    break
        return False

    async def batch(self, connection: Connection, name: str, now: datetime) -> bool:
        """Rewrite the next rows of one table, in one transaction.

        Returns whether these were the last, or are another process's.
        """
        async with connection.transaction():
            taken = await connection.fetchrow(_SQL["rewrite_take"], name)
            if taken is None:
                return True
            cursor = Cursor(**dict(taken))
            batch = await self.rows(connection, name, cursor, now)
            last = batch.rows < self._rows_per_batch
            place = msgspec.structs.astuple(batch.cursor)
            await connection.execute(
                _SQL["rewrite_store"], name, *place, batch.moved, batch.left, last
            )
        return last

    async def rows(self, connection: Connection, name: str, cursor: Cursor, now: datetime) -> Batch:
        """Rewrite the rows of one table behind a cursor, in the caller's transaction."""
        if name == "suppression":
            return await self._suppressions(connection, cursor, now)
        if name == "consent":
            return await self._consents(connection, cursor)
        return await self._counts(connection, cursor)

    async def _suppressions(self, connection: Connection, cursor: Cursor, now: datetime) -> Batch:
        after = (cursor.after_idx, cursor.after_account, cursor.after_category)
        rows = await suppression.page(connection, after, self._rows_per_batch)
        if not rows:
            return Batch(cursor, 0)
        last = rows[-1]
        batch = Batch(Cursor(last.account, last.category, last.to_idx, 0), len(rows))
        moves: dict[suppression.Key, tuple[bytes, bytes]] = {}
        for row in rows:
            number = self._number(row.to_enc)
            if number is None:
                batch.left += 1
            elif (to_idx := self._vault.index(number)) != row.to_idx:
                moves[row.key] = (to_idx, self._vault.seal(number))
        if moves:
            await suppression.move(connection, moves, now)
        batch.moved = len(moves)
        return batch

    async def _consents(self, connection: Connection, cursor: Cursor) -> Batch:
        rows = await consent.page(connection, cursor.after_id, self._rows_per_batch)
        if not rows:
            return Batch(cursor, 0)
        batch = Batch(msgspec.structs.replace(cursor, after_id=rows[-1][0]), len(rows))
        moves: dict[int, bytes] = {}
        for consent_id, to_idx, to_enc in rows:
            number = self._number(to_enc)
            if number is None:
                batch.left += 1
            elif (index := self._vault.index(number)) != to_idx:
                moves[consent_id] = index
        if moves:
            await consent.move(connection, moves)
        batch.moved = len(moves)
        return batch

    async def _counts(self, connection: Connection, cursor: Cursor) -> Batch:
        after = (cursor.after_account, cursor.after_category, cursor.after_idx)
        rows = await frequency.page(connection, after, self._rows_per_batch)
        if not rows:
            return Batch(cursor, 0)
        batch = Batch(Cursor(*rows[-1][0], 0), len(rows))
        moves: dict[frequency.Number, frequency.Number] = {}
        for (account, category, to_idx), to_enc, counted in rows:
            number = self._number(to_enc)
            if number is None:
                batch.left += counted
            elif (index := self._vault.index(number)) != to_idx:
                moves[account, category, to_idx] = (account, category, index)
        if moves:
            await frequency.move(connection, moves)
        batch.moved = len(moves)
        return batch

    def _number(self, to_enc: bytes | None) -> str | None:
        """The number of a row as it is written today; None where nothing tells it."""
        stored = None if to_enc is None else self._vault.open_or_none(to_enc)
        if stored is None:
            return None
        if stored.startswith("+54"):
            return stored  # both forms are valid there, and this one was given
        return stored_before(stored) or canonical(stored)
