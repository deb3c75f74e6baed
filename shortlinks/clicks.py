"""Clicks from the journal to the table `click`, each exactly once.

Owns the loop that loads them, the tables `click` and `click_journal`, and the end of a journal
file. Must not know HTTP, nor how a record reached its file (shortlinks/journal.py).

Rows and the offset behind them are committed together. So neither a crash nor a second loader loads
a record twice or leaves one out. Classes are given here, away from the redirect.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import asyncpg
import msgspec

from shortlinks.classify import RULES, ClickClass, classify_user_agent, judge
from shortlinks.journal import (
    Click,
    ClickJournal,
    JournalFile,
    delete_journal_file,
    journal_name,
    open_journal_file,
    retire_journal_file,
)
from storage.faults import UNAVAILABLE, Fenced, is_transient
from storage.ids import time_of
from storage.partitions import ensure_partitions
from storage.pool import Connection
from storage.sql import load

if TYPE_CHECKING:
    from storage.pool import Dedicated

ROWS_PER_LOAD_MAX = 1_000
BYTES_PER_LOAD_MAX = 512 * 1024
ROWS_PER_SLICE = 200
GATHER_SECONDS = 0.05  # after the first new click: one load for all that come together
RESCAN_SECONDS = 60.0  # between looks for files of processes on this machine that were killed
RETRY_SECONDS_MIN = 0.2
RETRY_SECONDS_MAX = 10.0
CLOSE_SECONDS_MAX = 5.0
AGENTS_REMEMBERED_MAX = 4_096
IDS_TRIED_MAX = 100  # for a click whose id another one has
LATE_DAYS_MAX = 35  # a click older than any database outage is not worth a partition

COLUMNS = (
    "id", "link_seq", "slot", "message_id", "class", "reasons", "method", "user_agent", "ip_prefix",
    "link_id", "facts", "rules", "settled",
)  # fmt: skip


class Row(NamedTuple):
    """A new row of `click`, its values in the order of COLUMNS. `link_id` None: a recipient's."""

    id: int
    link_seq: int
    slot: int
    message_id: int
    click_class: int
    reasons: list[str]
    method: str
    user_agent: str
    ip_prefix: str
    link_id: int | None
    facts: list[str]
    rules: int
    settled: bool


_MAY_CHANGE = frozenset((ClickClass.HUMAN, ClickClass.UNKNOWN))
Told = Callable[[Connection, Sequence[Row]], Awaitable[None]]

# Errors that the table has for a row. asyncpg itself raises some of them.
REFUSED = (
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.DataError,
    ValueError,
    OverflowError,
)
# After these the clicks stay in the journal.
STAY: tuple[type[BaseException], ...] = (*UNAVAILABLE, Fenced)

_SQL = load("shortlinks")
_log = logging.getLogger("smsgate.shortlinks")


class ClickLoader:
    """Loads journal files in the background: this process's, and those of dead ones.

    Counts since start: loaded, corrupt (records that no longer decode), rejected (records that the
    table does not take, logged), loads (transactions), failures (transient, tried again).
    """

    def __init__(
        self,
        journal: ClickJournal,
        database: Dedicated,
        *,
        rows_per_load_max: int = ROWS_PER_LOAD_MAX,
        gather_seconds: float = GATHER_SECONDS,
        told: Told | None = None,
    ) -> None:
        """`database`: a connection for the loader alone. `told`: hears of the rows that the table
        took, in their transaction.
        """
        self.loaded = 0
        self.corrupt = 0
        self.rejected = 0
        self.loads = 0
        self.failures = 0
        self._journal = journal
        self._database = database
        self._rows_per_load_max = rows_per_load_max
        self._gather_seconds = gather_seconds
        self._told = told
        self._decode = msgspec.json.Decoder(Click).decode
        self._agent_class = lru_cache(AGENTS_REMEMBERED_MAX)(classify_user_agent)
        self._wake = asyncio.Event()
        self._closing = asyncio.Event()
        self._passing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to load what is there and what comes."""
        self._journal.on_append = self._wake.set
        self._wake.set()
        self._task = asyncio.create_task(self._run(), name="click loader")
        self._task.add_done_callback(_log_end)

    async def load(self) -> int:
        """Load every record that is complete now. Returns how many rows. Raises what the database
        does.
        """
        async with self._passing:
            await self._store_gap()
            for retired in self._journal.loaded_files():
                await self._delete(retired)
            return sum([await self._load_file(path) for path in self._journal.files()])

    async def close(self, seconds_max: float = CLOSE_SECONDS_MAX) -> None:
        """Stop the loop and load what is left, within so many seconds. The rest stays for the next
        start.

        Close the journal before: only an ended file can be finished and deleted.
        """
        self._closing.set()
        self._wake.set()
        try:
            async with asyncio.timeout(seconds_max):
                if self._task is not None:
                    await asyncio.wait({self._task})
                await self.load()
        except STAY as error:
            _log.warning("clicks stay in the journal until the next start: %s", error)
        finally:
            if self._task is not None and not self._task.done():
                self._task.cancel()
                await asyncio.wait({self._task})

    async def _run(self) -> None:
        delay = RETRY_SECONDS_MIN
        while not self._closing.is_set():
            await _wait(self._wake, RESCAN_SECONDS)
            await _wait(self._closing, self._gather_seconds)
            self._wake.clear()
            try:
                await self.load()
            except Fenced as error:
                _log.error("click loader ends: %s", error)
                return
            except UNAVAILABLE as error:
                # Nothing is lost, since the offset has not moved. Even an error for an operator is
                # tried again: the journal is bounded and redirects go on.
                self.failures += 1
                if not is_transient(error):
                    _log.error("clicks cannot be loaded: %s", error)
                self._wake.set()
                await _wait(self._closing, delay)
                delay = min(delay * 2, RETRY_SECONDS_MAX)
            else:
                delay = RETRY_SECONDS_MIN

    async def _store_gap(self) -> None:
        """Store when clicks were lost. They cannot be loaded, but it can be said."""
        gap = self._journal.take_gap()
        if gap is None:
            return
        try:
            connection = await self._database.connection()
            since, until = time_of(gap.first_id), time_of(gap.last_id)
            await connection.execute(_SQL["store_gap"], gap.first_id, since, until, gap.lost)
        except BaseException:
            self._journal.give_back(gap)
            raise

    async def _load_file(self, path: Path) -> int:
        with open_journal_file(path, self._journal.active) as file:
            if file is None:
                return 0
            connection = await self._database.connection()
            name = journal_name(path)
            begun = await connection.fetchval(_SQL["loaded_offset"], name)
            offset, loaded = begun or 0, 0
            while offset < file.size:
                lines, behind = file.read(offset, self._rows_per_load_max, BYTES_PER_LOAD_MAX)
                if behind == offset:
                    break
                if not lines:
                    _log.warning("%s: %d octets are no records", name, behind - offset)
                rows = await self._rows(lines)
                stored = await self._commit(name, offset, behind, rows)
                if stored is None:
                    self._wake.set()  # somebody else has loaded it meanwhile: look again
                    return loaded
                self.corrupt += len(lines) - len(rows)
                offset, loaded = behind, loaded + stored
            if file.ended and offset >= file.size:
                await self._finish(file)
            return loaded

    async def _rows(self, lines: Sequence[bytes]) -> list[Row]:
        """The rows of those lines that are records."""
        rows: list[Row] = []
        for start in range(0, len(lines), ROWS_PER_SLICE):
            for line in lines[start : start + ROWS_PER_SLICE]:
                with contextlib.suppress(msgspec.MsgspecError):
                    rows.append(self._row(self._decode(line)))
            await asyncio.sleep(0)
        return rows

    def _row(self, click: Click) -> Row:
        agent = self._agent_class(click.user_agent)
        click_class, reasons = judge(click.method, click.facts, agent)
        return Row(
            click.id,
            click.link_seq,
            click.slot,
            click.message_id,
            click_class,
            reasons,
            click.method,
            click.user_agent,
            click.ip_prefix,
            click.link_id or None,
            list(msgspec.structs.astuple(click.facts)),
            RULES,
            # A machine that was found out stays one. Of others, receipts may say more.
            settled=click_class not in _MAY_CHANGE or not click.message_id,
        )

    async def _commit(self, name: str, offset: int, behind: int, rows: list[Row]) -> int | None:
        """Rows and offset in one transaction. Returns how many rows the table took.

        None if the file no longer stood at `offset`. Nothing is written then.
        """
        try:
            stored = await self._transact(name, offset, behind, lambda c: _copy(c, rows))
        except REFUSED as error:
            # A day without a partition, after a long outage. Or, never seen, a damaged record that
            # still decodes. One bad record must not hold up the others for ever.
            _log.warning("%s: loading clicks one by one: %s", name, error)
            await self._make_partitions(rows)
            stored = await self._transact(name, offset, behind, lambda c: _insert(c, rows))
        if stored is None:
            return None
        self.loads += 1
        self.loaded += len(stored)
        self.rejected += len(rows) - len(stored)
        return len(stored)

    async def _transact(
        self,
        name: str,
        offset: int,
        behind: int,
        write: Callable[[Connection], Awaitable[list[Row]]],
    ) -> list[Row] | None:
        async with self._database.transaction() as connection:
            await connection.execute("SET LOCAL synchronous_commit = off")
            moved = await connection.fetchrow(_SQL["move_offset"], name, offset, behind)
            if moved is None:
                return None
            stored = await write(connection)
            if self._told is not None and stored:
                await self._told(connection, stored)
            return stored

    async def _make_partitions(self, rows: Sequence[Row]) -> None:
        today = datetime.now(UTC).date()
        oldest = today - timedelta(days=LATE_DAYS_MAX)
        connection = await self._database.connection()
        for day in sorted({_day(row.id) for row in rows}):
            if oldest <= day <= today:
                await ensure_partitions(connection, day, days_ahead=0)

    async def _finish(self, file: JournalFile) -> None:
        connection = await self._database.connection()
        await connection.execute(_SQL["confirm_offset"], journal_name(file.path))
        retired = retire_journal_file(file.path)
        self._journal.forget(file.size)
        await self._delete(retired)

    async def _delete(self, retired: Path) -> None:
        connection = await self._database.connection()
        await connection.execute(_SQL["end_journal"], journal_name(retired))
        delete_journal_file(retired)


async def _copy(connection: Connection, rows: list[Row]) -> list[Row]:
    await connection.copy_records_to_table("click", records=rows, columns=COLUMNS)
    return rows


async def _insert(connection: Connection, rows: list[Row]) -> list[Row]:
    return [stored for row in rows if (stored := await _insert_one(connection, row)) is not None]


async def _insert_one(connection: Connection, row: Row) -> Row | None:
    """The row as the table took it; None: it did not.

    A process whose lease ended while the database was away may have had its node's successor beside
    it for a moment. So two clicks may have one id, and the later one gets the next that is free.
    """
    why: BaseException | None = None
    for number in range(IDS_TRIED_MAX):
        tried = row._replace(id=row.id + number)
        try:
            async with connection.transaction():
                await connection.execute(_SQL["insert_click"], *tried)
        except asyncpg.UniqueViolationError as error:
            why = error
        except REFUSED as error:
            why = error
            break
        else:
            return tried
    _log.error("click %d is left out: %s", row.id, why)
    return None


def _day(click_id: int) -> date:
    try:
        return time_of(click_id).date()
    except OverflowError:
        return date.max


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


def _log_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.critical("the click loader ended", exc_info=error)
