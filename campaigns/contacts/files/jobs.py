"""Imports of contacts as they are asked for and shown: files received, progress, verdicts, undo.

Owns the desk behind the API. Must not read a row: the worker does (importing.py). A file is kept
sealed in the database until its import has ended, so any process can go on with it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg
import msgspec

from campaigns.contacts import store
from campaigns.contacts.cleaning import NumberCleaner
from campaigns.contacts.deciding import Mode
from campaigns.contacts.files.mapping import RowReader
from campaigns.contacts.files.tables import CsvTable, FileRefused, NdjsonTable, Table, Utf8Watch
from campaigns.contacts.files.workbook import WORKBOOK_BYTES_MAX, Workbook
from campaigns.contacts.verdicts import Verdict
from recipients.numbers.plan import NumberPlan
from storage import audit, sql
from storage.audit import AuditEntry
from storage.crypto import NumberVault
from storage.faults import Overloaded, or_storage_down
from storage.ids import ID_MAX, IdSource, format_id, time_of
from storage.pool import Connection, Dedicated
from storage.reading import reading

PREFIX = "cim"
CSV, NDJSON, XLSX = "csv", "ndjson", "xlsx"
PIECES_EACH = 16  # a commit: a megabyte
RECEIVING_MAX = 2  # in this process

_SQL = sql.load("campaigns")


class Layout(msgspec.Struct, frozen=True):
    """Column `import_job.mapping`. `columns` None: they are known by their names."""

    columns: Mapping[str, str] | None
    delimiter: str | None


class FileWish(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for, beside the file. `mapping` None: columns are known by their names."""

    format: str
    mapping: Mapping[str, str] | None
    mode: Mode
    dry_run: bool
    delimiter: str | None = None

    @property
    def asks(self) -> bytes:
        """Equal for two requests that ask for the same."""
        mapping = None if self.mapping is None else sorted(self.mapping.items())
        said = (self.format, mapping, self.mode, self.dry_run, self.delimiter)
        return hashlib.sha256(msgspec.json.encode(said)).digest()

    @property
    def layout(self) -> Layout:
        """What is kept of how its rows are read."""
        return Layout(self.mapping, self.delimiter)


class JobView(msgspec.Struct, frozen=True, kw_only=True):
    """How far an import is. `counts`: rows by verdict and by code."""

    id: int
    format: str
    encoding: str | None
    mode: str
    dry_run: bool
    state: str
    detail: str | None
    bytes: int
    rows_read: int
    counts: Mapping[str, int]
    ignored: Sequence[str]
    touched_at: datetime
    finished_at: datetime | None

    @property
    def created_at(self) -> datetime:
        """When its file began to come."""
        return time_of(self.id)


class RowView(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a row. `shown`: its number, masked."""

    line: int
    verdict: Verdict
    codes: Sequence[str]
    shown: str | None
    contact: int | None


class Incoming:
    """A file that is being received. Ends with received() or given_up()."""

    def __init__(
        self, desk: ContactImports, job: int, account: int, actor: str, wish: FileWish
    ) -> None:
        self.id = job
        self._desk = desk
        self._account = account
        self._actor = actor
        self._wish = wish
        self._watch = Utf8Watch()
        self._digest = hashlib.sha256()
        self._bytes = 0
        self._waiting: list[bytes] = []

    async def add(self, octets: bytes) -> None:
        """The next octets, 64 KiB at most. Raises FileRefused, StorageDown."""
        self._bytes += len(octets)
        if self._wish.format == XLSX and self._bytes > WORKBOOK_BYTES_MAX:
            raise FileRefused("body_too_large", "a workbook has at most 32 MiB", "")
        self._digest.update(octets)
        self._watch.feed(octets)
        self._waiting.append(octets)
        if len(self._waiting) >= PIECES_EACH:
            await self._keep()

    async def received(self) -> tuple[int, bool]:
        """The file has ended: its import, and whether it is an earlier one of the same file.

        Raises FileRefused, StorageDown.
        """
        await self._keep()
        digest = self._digest.digest()
        known = await self._desk.known(self._account, digest, self._wish)
        if known is not None:
            await self.given_up()
        else:
            encoding = "" if self._wish.format == XLSX else self._watch.encoding()
            ignored = await self._desk.check(self.id, self._account, self._wish, encoding)
            known = await self._desk.wait(
                self.id, self._account, self._actor, self._wish, digest, self._bytes, encoding,
                ignored,
            )  # fmt: skip
        return (self.id, False) if known is None else (known, True)

    async def given_up(self) -> None:
        """Nothing of it stays. Raises StorageDown."""
        await self._desk.forget(self.id)

    async def _keep(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting:
            await self._desk.keep(self.id, waiting)


class ContactImports:
    """Implements ContactFiles."""

    def __init__(
        self,
        pool: asyncpg.Pool[asyncpg.Record],
        dedicated: Dedicated,
        *,
        term: int,
        vault: NumberVault,
        ids: IdSource,
        wall_ms: Callable[[], int],
        wake: Callable[[], None],
    ) -> None:
        """`wake` is told when there is something to do."""
        self._pool = pool
        self._dedicated = dedicated
        self._term = term
        self._vault = vault
        self._ids = ids
        self._wall_ms = wall_ms
        self._wake = wake
        self._turn = asyncio.Lock()  # of the one connection
        self._receiving = 0
        self._cleaner = NumberCleaner(NumberPlan())

    @asynccontextmanager
    async def receiving(self, account: int, actor: str, wish: FileWish) -> AsyncIterator[Incoming]:
        """Room for a file; without an end nothing of it stays. Raises Overloaded, StorageDown."""
        if self._receiving >= RECEIVING_MAX:
            raise Overloaded()
        self._receiving += 1
        try:
            job = self._ids.next()
            async with self._writing() as connection:
                await connection.execute(_SQL["imports_left"])
                await connection.execute(
                    _SQL["import_begin"],
                    job, account, actor, wish.asks, wish.format, wish.layout, wish.mode,
                    wish.dry_run, self._term,
                )  # fmt: skip
            incoming = Incoming(self, job, account, actor, wish)
            try:
                yield incoming
            except BaseException:
                await incoming.given_up()
                raise
        finally:
            self._receiving -= 1

    async def keep(self, job: int, pieces: Sequence[bytes]) -> None:
        """Commit the next pieces of a file."""
        records = []
        for piece in pieces:
            identifier = self._ids.next()
            records.append((identifier, job, self._vault.seal_octets(piece, identifier)))
            await asyncio.sleep(0)
        async with self._writing() as connection:
            await connection.copy_records_to_table(
                "import_piece", columns=("id", "job", "octets_enc"), records=records
            )

    async def known(self, account: int, digest: bytes, wish: FileWish) -> int | None:
        """An earlier import of this file, asked for in the same way."""
        async with reading(self._pool) as connection:
            found: int | None = await connection.fetchval(
                _SQL["import_known"], account, digest, wish.asks
            )
        return found

    async def check(self, job: int, account: int, wish: FileWish, encoding: str) -> Sequence[str]:
        """The columns of a file that say nothing. Raises FileRefused for a header that is wrong."""
        async with reading(self._pool) as connection:
            reader = RowReader(
                wish.mapping,
                await store.attributes(connection, account),
                self._cleaner,
                datetime.fromtimestamp(self._wall_ms() / 1000, UTC),
            )
            if wish.format == NDJSON:
                return ()
            reader.check(await self._columns(connection, job, wish, encoding))
        return reader.ignored

    async def wait(
        self,
        job: int,
        account: int,
        actor: str,
        wish: FileWish,
        digest: bytes,
        size: int,
        encoding: str,
        ignored: Sequence[str],
    ) -> int | None:
        """The file waits for its turn; the other one's id where another was faster."""
        while True:
            try:
                async with self._writing() as connection:
                    await connection.execute(
                        _SQL["import_received"], job, digest, size, encoding, list(ignored)
                    )
                    detail = {"import": format_id(PREFIX, job), "format": wish.format}
                    if not wish.dry_run:
                        await self._note(connection, account, actor, "contacts.import", detail)
                break
            except asyncpg.UniqueViolationError:
                found = await self.known(account, digest, wish)
                if found is not None:
                    await self.forget(job)
                    return found
                # It has failed, or was undone, meanwhile: ours is the first again.
        self._wake()
        return None

    async def forget(self, job: int) -> None:
        """A file that did not come whole, or came before."""
        async with self._writing() as connection:
            await connection.execute(_SQL["import_forget"], job)

    async def view(self, account: int, job: int) -> JobView | None:
        """How far one import is."""
        found = await self._views(account, ID_MAX, job, 1)
        return found[0] if found else None

    async def listed(self, account: int, before: int | None, limit: int) -> list[JobView]:
        """An account's imports, the latest first."""
        return await self._views(account, ID_MAX if before is None else before, None, limit)

    async def rows(
        self, job: int, after: int, verdict: Verdict | None, limit: int
    ) -> list[RowView]:
        """Rows behind a line, in order."""
        async with reading(self._pool) as connection:
            rows = await connection.fetch(_SQL["import_rows"], job, after, verdict, limit)
        return [
            RowView(
                line=row["line"],
                verdict=Verdict(row["verdict"]),
                codes=row["codes"] or (),
                shown=row["shown"],
                contact=row["contact"],
            )
            for row in rows
        ]

    async def undo(self, account: int, actor: str, job: int) -> bool:
        """Begin to take it back. False: it has not ended, was a rehearsal, or is undone."""
        async with self._writing() as connection:
            found = await connection.fetchval(_SQL["import_undo"], account, job)
            if found is not None:
                detail = {"import": format_id(PREFIX, job)}
                await self._note(connection, account, actor, "contacts.import_undo", detail)
        self._wake()
        return found is not None

    async def _columns(
        self, connection: Connection, job: int, wish: FileWish, encoding: str
    ) -> Sequence[str]:
        if wish.format == XLSX:
            book = await workbook_of(connection, self._vault, job)
            await asyncio.to_thread(next, book.rows(), None)
            return book.columns
        after, table = 0, table_of(wish.format, encoding, wish.delimiter)
        while True:
            pieces, after = await pieces_of(connection, self._vault, job, after)
            if not pieces:
                list(table.close())
                return table.columns
            for piece in pieces:
                for _ in table.feed(piece):
                    break
                if table.columns:
                    return table.columns

    async def _views(
        self, account: int, before: int, only: int | None, limit: int
    ) -> list[JobView]:
        async with reading(self._pool) as connection:
            rows = await connection.fetch(_SQL["import_views"], account, before, only, limit)
        return [JobView(**dict(row)) for row in rows]

    async def _note(
        self,
        connection: Connection,
        account: int,
        actor: str,
        action: str,
        detail: Mapping[str, object],
    ) -> None:
        entry = AuditEntry(self._ids.next(), account, actor, action, None, detail)
        await audit.append(connection, [entry])

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[Connection]:
        with or_storage_down():
            async with self._turn, self._dedicated.transaction() as connection:
                yield connection


def table_of(format_: str, encoding: str, delimiter: str | None) -> Table:
    """What reads a file of this form."""
    return CsvTable(encoding, delimiter) if format_ == CSV else NdjsonTable(encoding)


async def workbook_of(connection: Connection, vault: NumberVault, job: int) -> Workbook:
    """What an import has received, whole. Raises FileRefused."""
    octets, after = bytearray(), 0
    while True:
        pieces, after = await pieces_of(connection, vault, job, after)
        if not pieces:
            return await asyncio.to_thread(Workbook, bytes(octets))
        octets += b"".join(pieces)


async def pieces_of(
    connection: Connection, vault: NumberVault, job: int, after: int
) -> tuple[list[bytes], int]:
    """Up to a megabyte of a file behind a piece, and the last piece's id. Raises FileRefused for
    octets that the number key does not open any more.
    """
    rows = await connection.fetch(_SQL["import_pieces"], job, after, PIECES_EACH)
    opened: list[bytes] = []
    for row in rows:
        octets = vault.open_octets(row["octets_enc"], row["id"])
        if octets is None:
            raise FileRefused("unreadable", "the number key changed; send the file again", "")
        opened.append(octets)
    return opened, rows[-1]["id"] if rows else after
