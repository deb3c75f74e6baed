"""Tables whose numbers are sealed and indexed anew, a bounded batch at a time.

Owns the passes through the tables and their cursors. Must not know a table: each package hands in
its own. A batch is one transaction with its cursor: killed anywhere, the job goes on where it was.

After a pass that moved something comes another. The last one opens every row with the new key and
moves none: that is the count of what is left.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

import asyncpg
import msgspec

from storage import sql
from storage.crypto import NumberVault
from storage.pool import Connection

_SQL = sql.load("storage")
ROWS_PER_BATCH = 1_000
BATCHES_PER_TURN_MAX = 5  # what else is due waits for them
_SMALLEST = -32_768  # of a smallint

Place = list[int | str]
Moved = Callable[[Connection, Mapping[bytes, bytes]], Awaitable[None]]


class Batch(msgspec.Struct):
    """What became of the rows of one batch. `place`: that of the last."""

    place: Place
    rows: int
    moved: int = 0
    left: int = 0  # rows whose number nothing tells: they stay as they are


class Rewriting(Protocol):
    """One table."""

    @property
    def name(self) -> str:
        """As in the list of progress."""

    async def batch(
        self,
        connection: Connection,
        vault: NumberVault,
        after: Place,
        limit: int,
        now: datetime,
    ) -> Batch:
        """Seal the rows behind a place anew, in the caller's transaction. [] is the beginning."""


class ById(NamedTuple):
    """A table with an id. `page`: id, enc and idx of $2 rows behind id $1; idx may be NULL.

    `move`: ids $1, what is stored there $2, new enc $3, new idx $4, lowest and highest id $5 and
    $6. A row that holds something else by now is left alone. `octets`: sealed for their row.
    `moved` is told old and new indexes.
    """

    name: str
    page: str
    move: str
    octets: bool = False
    moved: Moved | None = None

    async def batch(
        self,
        connection: Connection,
        vault: NumberVault,
        after: Place,
        limit: int,
        now: datetime,
    ) -> Batch:
        """As Rewriting has it."""
        rows = await connection.fetch(self.page, after[0] if after else 0, limit)
        if not rows:
            return Batch(after, 0)
        found = Batch([rows[-1]["id"]], len(rows))
        moves: list[tuple[int, bytes, bytes, bytes | None]] = []
        indexes: dict[bytes, bytes] = {}
        for row in rows:
            if not row["enc"] or self._current(vault, row["enc"], row["id"]):
                continue
            sealed = self._sealed(vault, row["enc"], row["id"])
            if sealed is None:
                found.left += 1
                continue
            enc, idx = sealed
            if row["idx"] is not None and idx is not None:
                indexes[row["idx"]] = idx
            moves.append((row["id"], row["enc"], enc, None if row["idx"] is None else idx))
        if moves:
            ids, stored, encs, idxs = (list(column) for column in zip(*moves, strict=True))
            await connection.execute(self.move, ids, stored, encs, idxs, ids[0], ids[-1])
            if self.moved is not None:
                await self.moved(connection, indexes)
        found.moved = len(moves)
        return found

    def _current(self, vault: NumberVault, enc: bytes, row_id: int) -> bool:
        return vault.octets_are_current(enc, row_id) if self.octets else vault.is_current(enc)

    def _sealed(
        self, vault: NumberVault, enc: bytes, row_id: int
    ) -> tuple[bytes, bytes | None] | None:
        if self.octets:
            octets = vault.open_octets(enc, row_id)
            return None if octets is None else (vault.seal_octets(octets, row_id), None)
        number = vault.open_or_none(enc)
        return None if number is None else (vault.seal(number), vault.index(number))


async def reseal(
    connection: Connection,
    vault: NumberVault,
    rows: Sequence[asyncpg.Record],
    key: Sequence[str],
    move: str,
    found: Batch,
) -> None:
    """Seal to_enc of rows whose key has the index anew; `found` is told what moved and was left.

    `move`: arrays of each column of the key, of new to_idx and new to_enc.
    """
    moves = []
    for row in rows:
        if vault.is_current(row["to_enc"]):
            continue
        number = vault.open_or_none(row["to_enc"])
        if number is None:
            found.left += 1
            continue
        moves.append((*(row[name] for name in key), vault.index(number), vault.seal(number)))
    if moves:
        columns = [list(column) for column in zip(*moves, strict=True)]
        await connection.execute(move, *columns)
    found.moved = len(moves)


class ByIndex(NamedTuple):
    """A table whose key is small integers and the index.

    `beside`: the integers' columns. `page`: they, to_idx and to_enc of the rows behind such a key;
    last comes how many. `move`: arrays of them, of to_idx, new to_idx and new to_enc.
    """

    name: str
    beside: Sequence[str]
    page: str
    move: str

    async def batch(
        self,
        connection: Connection,
        vault: NumberVault,
        after: Place,
        limit: int,
        now: datetime,
    ) -> Batch:
        """As Rewriting has it."""
        *beside, idx = after or [*(_SMALLEST for _ in self.beside), ""]
        rows = await connection.fetch(self.page, *beside, bytes.fromhex(str(idx)), limit)
        if not rows:
            return Batch(after, 0)
        last = rows[-1]
        found = Batch([*(last[name] for name in self.beside), last["to_idx"].hex()], len(rows))
        held = [row for row in rows if row["to_enc"]]
        await reseal(connection, vault, held, (*self.beside, "to_idx"), self.move, found)
        return found


class Progress(msgspec.Struct, frozen=True):
    """Of one table. `left`: of this pass."""

    name: str
    rows_moved: int
    pass_moved: int
    rows_left: int
    done: bool


class NumberRewrite:
    """The job over all tables, one for the process."""

    def __init__(
        self,
        vault: NumberVault,
        tables: Sequence[Rewriting],
        *,
        rows_per_batch: int = ROWS_PER_BATCH,
    ) -> None:
        self._vault = vault
        self._tables = {table.name: table for table in tables}
        self._rows_per_batch = rows_per_batch

    async def turn(self, connection: Connection, now: datetime) -> bool:
        """Do a bounded number of batches. Returns whether nothing of the other key is left that
        could be moved.
        """
        await connection.execute(_SQL["rewrite_tables"], list(self._tables))
        states = await progress(connection)
        if all(each.done for each in states):
            return await self._end_pass(connection)
        batches = 0
        for each in states:
            while not each.done and batches < BATCHES_PER_TURN_MAX:
                batches += 1
                if await self.batch(connection, each.name, now):
                    break
        return False

    async def _end_pass(self, connection: Connection) -> bool:
        """Whether this was the last one."""
        async with connection.transaction():
            if await connection.fetchval(_SQL["rotation_lock"], REWRITING) is None:
                return False
            states = await progress(connection)
            if not all(each.done for each in states):
                return False  # another process has begun the next pass
            if not any(each.pass_moved for each in states):
                return True
            await connection.execute(_SQL["rewrite_next_pass"])
            await connection.execute(_SQL["rotation_next_pass"])
        return False

    async def batch(self, connection: Connection, name: str, now: datetime) -> bool:
        """Seal the next rows of one table anew, in one transaction.

        Returns whether these were the last, or are another process's.
        """
        table = self._tables.get(name)
        if table is None:
            return True
        async with connection.transaction():
            taken = await connection.fetchrow(_SQL["rewrite_take_table"], name)
            if taken is None:
                return True
            after = [] if taken["place"] is None else msgspec.json.decode(taken["place"])
            done = await table.batch(connection, self._vault, after, self._rows_per_batch, now)
            last = done.rows < self._rows_per_batch
            await connection.execute(
                _SQL["rewrite_store_table"],
                name, msgspec.json.encode(done.place), done.moved, done.left, last,
            )  # fmt: skip
        return last


REWRITING = 3  # the phase of key_rotation.py in which this job runs


async def progress(connection: Connection) -> list[Progress]:
    """How far each table is."""
    return [Progress(**dict(row)) for row in await connection.fetch(_SQL["rewrite_progress"])]
