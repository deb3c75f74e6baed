"""Everything that is stored about one person: handed out, or erased.

Owns the export, the requests for erasures, and the table of these. Must not know where a person's
rows are: the steps are handed in (storage/persons.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import asyncpg
import msgspec

from recipients.person_rows import line
from storage import audit, sql
from storage.audit import AuditEntry
from storage.crypto import NumberVault
from storage.faults import Overloaded, or_storage_down
from storage.ids import ID_MAX, IdSource, format_id, time_of
from storage.persons import Person, PersonStep, person
from storage.pool import Connection, Dedicated
from storage.reading import reading

_SQL = sql.load("recipients")
EXPORT, ERASE = "persons.export", "persons.erase"
EXPORTS_MAX = 2  # each holds a connection of the few that read
EXPORT_SECONDS_MAX = 60.0  # that it is held for a reader who is slow
LINES_PER_SLICE = 200

# How many messages to the person have no end yet, and the id of the first
Waits = Callable[[Connection, Person], Awaitable[tuple[int, int | None]]]


class PersonWaits(Exception):
    """Messages to this person wait, or may have been sent without anybody knowing."""

    def __init__(self, messages: int, first: int) -> None:
        super().__init__(f"{messages} messages have no end yet, the first is {first}")
        self.messages = messages
        self.first = first


class Asked(msgspec.Struct, frozen=True):
    """Who asks for one person's rows, and why.

    `account`: its rows; None: everybody's, and those of nobody. `reason` is kept in the audit.
    """

    account: int | None
    actor: str
    number: str
    reason: str


class Erasure(msgspec.Struct, kw_only=True):
    """How far an erasure is. `waits`: for something of the person that is on its way.

    `table` is the one that it is at; "" before the first. `rows` erased are by table.
    """

    id: int
    table: str
    waits: bool
    rows: dict[str, int]
    requested_at: datetime
    finished_at: datetime | None


class _Patience:
    """How long is waited for a reader, all waits together. Then `give_up` is called."""

    def __init__(
        self, seconds: float, monotonic: Callable[[], float], give_up: Callable[[], None]
    ) -> None:
        self._left = seconds
        self._monotonic = monotonic
        self._give_up = give_up

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Around one wait."""
        began = self._monotonic()
        ending = asyncio.get_running_loop().call_later(self._left, self._give_up)
        try:
            yield
        finally:
            ending.cancel()
            self._left -= self._monotonic() - began


class Persons:
    """Exports at once; erasures are noted, and done by recipients/erasing.py."""

    def __init__(
        self,
        pool: asyncpg.Pool[asyncpg.Record],
        dedicated: Dedicated,
        *,
        vault: NumberVault,
        ids: IdSource,
        steps: Sequence[PersonStep],
        waits: Waits,
        monotonic: Callable[[], float] = lambda: 0.0,
        export_seconds_max: float = EXPORT_SECONDS_MAX,
    ) -> None:
        """`export_seconds_max`: an export is cut off that has waited so long for its reader.
        `monotonic`, in seconds, adds up its waits; without it each may be so long.
        """
        self._pool = pool
        self._dedicated = dedicated
        self._vault = vault
        self._ids = ids
        self._steps = steps
        self._waits = waits
        self._monotonic = monotonic
        self._export_seconds_max = export_seconds_max
        self._turn = asyncio.Lock()  # one connection, so one at a time
        self._exports = asyncio.Semaphore(EXPORTS_MAX)

    async def export(self, asked: Asked) -> AsyncIterator[dict[str, object]]:
        """Every row about the person, each as one line, between a first and a last line.

        On record before the first one. Raises Overloaded, StorageDown; that is also the end of one
        that is read too slowly.
        """
        if self._exports.locked():
            raise Overloaded()
        async with self._exports:
            with or_storage_down():
                async with self._turn, self._dedicated.transaction() as connection:
                    noted = await self._note(connection, asked, EXPORT, {})
            whom = person(self._vault, asked.number, asked.account, ID_MAX)
            yield {"number": asked.number, "exported_at": time_of(noted).isoformat()}
            rows = 0
            async with (
                reading(self._pool) as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                patience = _Patience(
                    self._export_seconds_max, self._monotonic, connection.terminate
                )
                for step in self._steps:
                    if step.export is None:
                        continue
                    async for row in step.export(connection, whom):
                        with patience.waiting():
                            yield line(step.table, row.items(), self._vault)
                        rows += 1
                        if rows % LINES_PER_SLICE == 0:
                            await asyncio.sleep(0)
            yield {"rows": rows, "complete": True}

    async def erase(self, asked: Asked) -> Erasure:
        """Note that a person is to be erased; the same request again is one.

        Raises PersonWaits, StorageDown.
        """
        index = self._vault.index(asked.number)
        with or_storage_down():
            async with self._turn, self._dedicated.transaction() as connection:
                await connection.execute(_SQL["person_erasure_lock"])
                row = await connection.fetchrow(_SQL["person_erasure_open"], index, asked.account)
                if row is None:
                    row = await self._add(connection, asked, index)
        return _shown(row)

    async def erasure(self, account: int | None, identifier: int) -> Erasure | None:
        """One of this account; None: of any. Raises StorageDown."""
        async with reading(self._pool) as connection:
            row = await connection.fetchrow(_SQL["person_erasure"], identifier, account)
        return None if row is None else _shown(row)

    async def _add(self, connection: Connection, asked: Asked, index: bytes) -> asyncpg.Record:
        first, identifier = self._ids.take(2)
        whom = person(self._vault, asked.number, asked.account, identifier)
        messages, waiting = await self._waits(connection, whom)
        if waiting is not None:
            raise PersonWaits(messages, waiting)
        await connection.execute(
            _SQL["person_erasure_add"],
            identifier,
            asked.account,
            self._vault.seal(asked.number),
            index,
        )
        detail: dict[str, object] = {"erasure": format_id("era", identifier)}
        await self._note(connection, asked, ERASE, detail, first)
        row = await connection.fetchrow(_SQL["person_erasure"], identifier, None)
        assert row is not None  # written just now
        return row

    async def _note(
        self,
        connection: Connection,
        asked: Asked,
        action: str,
        detail: dict[str, object],
        identifier: int | None = None,
    ) -> int:
        noted = self._ids.next() if identifier is None else identifier
        subject = self._vault.index(asked.number)
        entry = AuditEntry(
            noted, asked.account or 0, asked.actor, action, subject, detail, asked.reason
        )
        await audit.append(connection, [entry])
        return noted


def _shown(row: asyncpg.Record) -> Erasure:
    return Erasure(
        id=row["id"],
        table=row["step"],
        waits=row["waits"],
        rows=row["counts"],
        requested_at=row["requested_at"].astimezone(UTC),
        finished_at=row["finished_at"],
    )
