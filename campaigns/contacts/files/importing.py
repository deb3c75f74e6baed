"""The worker of imports: rows of a file into contacts, 5 000 a transaction; and back again.

Owns these transactions. Must not decide what a row means, nor which consent counts (consents.py).
What the rows of one change, their verdicts and how far the import is are committed together. A
process that dies leaves whole steps, and any process goes on behind them.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import UTC, datetime
from itertools import islice

import msgspec
import structlog

from campaigns.contacts import store
from campaigns.contacts.cleaning import NumberCleaner
from campaigns.contacts.deciding import Mode, Wish
from campaigns.contacts.files.consents import ImportedConsents, Stopped
from campaigns.contacts.files.jobs import PREFIX, XLSX, Layout, pieces_of, table_of, workbook_of
from campaigns.contacts.files.mapping import Draft, RowReader
from campaigns.contacts.files.tables import FileRefused, RawRow
from campaigns.contacts.store import Applied, ContactStore
from campaigns.contacts.verdicts import Verdict
from recipients.numbers.plan import NumberPlan
from storage import audit, sql
from storage.audit import JOB, AuditEntry
from storage.crypto import NumberVault
from storage.faults import Fenced, is_unavailable, without_values
from storage.ids import IdSource, format_id
from storage.periodic import Ended, PeriodicTask
from storage.pool import Connection, Dedicated

STEP_ROWS = 5_000
SLICE_ROWS = 100  # between two turns for others
LOOK_SECONDS = 2.0
ROWS_MAX = 5_000_000

_log = structlog.get_logger(__name__)
_SQL = sql.load("campaigns")


class Job(msgspec.Struct, kw_only=True):
    """An import that is ours."""

    id: int
    account: int
    actor: str
    format: str
    encoding: str
    mapping: Layout
    mode: Mode
    dry_run: bool
    state: str
    rows_read: int
    bytes: int


class Lost(Exception):
    """Another process has taken over."""


class ImportWorker:
    """One job at a time in this process."""

    def __init__(
        self,
        dedicated: Dedicated,
        *,
        term: int,
        vault: NumberVault,
        ids: IdSource,
        wall_ms: Callable[[], int],
        ended: Ended,
        step_rows: int = STEP_ROWS,
    ) -> None:
        self._dedicated = dedicated
        self._term = term
        self._vault = vault
        self._ids = ids
        self._wall_ms = wall_ms
        self._store = ContactStore(ids, vault)
        self._consents = ImportedConsents(vault, self._store)
        self._cleaner = NumberCleaner(NumberPlan())
        self._step_rows = step_rows
        self._task = PeriodicTask("contact imports", self.turn, lambda: LOOK_SECONDS, ended=ended)
        self.rows: Counter[str] = Counter()  # by verdict, since start
        self.running = 0

    def start(self) -> None:
        """Look for work from now on."""
        self._task.start()

    def wake(self) -> None:
        """There is work."""
        self._task.wake()

    async def stop(self) -> None:
        """Stop; what was committed stays, and any process goes on."""
        await self._task.stop()

    async def turn(self) -> None:
        """Do what waits, one after the other."""
        while True:
            connection = await self._dedicated.connection()
            row = await connection.fetchrow(_SQL["import_claim"], self._term)
            if row is None:
                return
            self.running = 1
            try:
                await self._run(connection, msgspec.convert(dict(row), Job))
            finally:
                self.running = 0

    async def _run(self, connection: Connection, job: Job) -> None:
        try:
            if job.state == "undoing":
                await self._take_back(connection, job)
                await self._end(connection, job, "undone", None)
            else:
                await self._take(connection, job)
                await self._end(connection, job, "done", None)
        except FileRefused as refused:
            await self._end(connection, job, "failed", f"{refused.code}: {refused}")
        except Lost:
            return
        except Exception as error:  # whatever a file holds, it stops no other
            if isinstance(error, Fenced) or is_unavailable(error) or connection.is_closed():
                raise
            _log.exception("contact_import_stopped", error=without_values(error), exc_info=False)
            await self._end(connection, job, "failed", "internal: the gateway cannot read it")

    async def _take(self, connection: Connection, job: Job) -> None:
        attributes = await store.attributes(connection, job.account)
        reader = RowReader(job.mapping.columns, attributes, self._cleaner, self._now())
        if job.dry_run:
            await connection.execute(_SQL["contact_rehearsal"])
            await connection.execute(_SQL["contact_rehearsed"], job.id)
            await connection.execute(_SQL["import_restart"], job.id, self._term)
            job.rows_read = 0
        seen = 0
        waiting: list[Draft] = []
        async for rows in _slices(self._rows(connection, job)):
            seen += len(rows)
            if seen > ROWS_MAX:
                raise FileRefused("rows_max", f"a file has at most {ROWS_MAX} rows", "")
            new = rows[max(0, len(rows) - (seen - job.rows_read - len(waiting))) :]
            waiting += [reader.draft(row) for row in new]
            while len(waiting) >= self._step_rows:
                await self._step(connection, job, waiting[: self._step_rows])
                del waiting[: self._step_rows]
            await asyncio.sleep(0)
        if waiting:
            await self._step(connection, job, waiting)

    async def _rows(self, connection: Connection, job: Job) -> AsyncIterator[Iterable[RawRow]]:
        if job.format == XLSX:
            found = (await workbook_of(connection, self._vault, job.id)).rows()
            while rows := await asyncio.to_thread(lambda: list(islice(found, SLICE_ROWS))):
                yield rows
            return
        after, table = 0, table_of(job.format, job.encoding, job.mapping.delimiter)
        while True:
            pieces, after = await pieces_of(connection, self._vault, job.id, after)
            for piece in pieces:
                yield table.feed(piece)
            if not pieces:
                yield table.close()
                return

    async def _step(self, connection: Connection, job: Job, drafts: Sequence[Draft]) -> None:
        good = [draft for draft in drafts if draft.invalid is None]
        for start in range(0, len(good), SLICE_ROWS):
            for draft in good[start : start + SLICE_ROWS]:
                draft.indexes = self._vault.index_many(draft.numbers)
            await asyncio.sleep(0)
        async with connection.transaction():
            await store.lock(connection, job.account)
            outcomes = await self._applied(connection, job, good)
            stopped = await self._consents.stopped(connection, job.account, good)
            counts = await self._verdicts(connection, job, drafts, outcomes, stopped)
            if not job.dry_run:
                await self._consents.record(connection, job.account, good, outcomes, stopped)
            text = msgspec.json.encode(counts).decode()
            done = await connection.fetchval(
                _SQL["import_step"], job.id, self._term, job.rows_read, len(drafts), text
            )
            if done is None:
                raise Lost
        job.rows_read += len(drafts)
        self.rows.update({each.label: counts.get(each.label, 0) for each in Verdict})

    async def _applied(
        self, connection: Connection, job: Job, good: Sequence[Draft]
    ) -> dict[int, Applied]:
        names = {name for draft in good for name in draft.tags}
        try:
            tags = await store.tag_ids(connection, job.account, () if job.dry_run else names)
        except store.TooManyTags:
            raise FileRefused("contacts_full", f"at most {store.TAGS_MAX} tags", "") from None
        wishes = [
            Wish(
                external_id=draft.external_id,
                numbers=list(zip(draft.indexes, draft.numbers, strict=True)),
                attrs=draft.attrs,
                tags=sorted(tags[name] for name in draft.tags if name in tags),
                source=draft.source,
                time_zone=draft.time_zone,
            )
            for draft in good
        ]
        applied = await self._store.apply(
            connection, job.account, wishes, job.mode, job=job.id, write=not job.dry_run
        )
        if job.dry_run:
            await self._rehearse(connection, job, wishes, applied)
        return {draft.line: each for draft, each in zip(good, applied, strict=True)}

    async def _rehearse(
        self, connection: Connection, job: Job, wishes: Sequence[Wish], applied: Sequence[Applied]
    ) -> None:
        """Of contacts that would be new, one that an earlier step would have made is a
        duplicate.
        """
        keys = [
            [*(index for index, _ in wish.numbers), *_named(wish.external_id)]
            if each.verdict is Verdict.CREATED
            else []
            for wish, each in zip(wishes, applied, strict=True)
        ]
        rows = await connection.fetch(
            _SQL["contact_rehearse"], job.id, [key for several in keys for key in several]
        )
        new = {row["key"] for row in rows}
        for several, each in zip(keys, applied, strict=True):
            if several:
                each.contact = None
                if not new.issuperset(several):
                    each.verdict = Verdict.DUPLICATE_IN_FILE

    async def _verdicts(
        self,
        connection: Connection,
        job: Job,
        drafts: Sequence[Draft],
        outcomes: dict[int, Applied],
        stopped: Stopped,
    ) -> Counter[str]:
        counts: Counter[str] = Counter()
        records = []
        for draft in drafts:
            applied = outcomes.get(draft.line)
            verdict = Verdict.INVALID if applied is None else applied.verdict
            said = (draft.invalid, None if applied is None else applied.code, *draft.codes)
            codes = [each for each in dict.fromkeys(said) if each is not None]
            if any(index in stopped for index in draft.indexes):
                codes.append("suppressed")
            counts[verdict.label] += 1
            counts.update(codes)
            records.append(
                (
                    job.id, draft.line, verdict, codes or None, draft.shown,
                    None if applied is None else applied.contact,
                    None if applied is None else applied.revision,
                    None if applied is None or job.dry_run else applied.before,
                )
            )  # fmt: skip
        await connection.copy_records_to_table(
            "import_row",
            columns=("job", "line", "verdict", "codes", "shown", "contact", "revision", "before"),
            records=records,
        )
        return counts

    async def _take_back(self, connection: Connection, job: Job) -> None:
        while True:
            async with connection.transaction():
                await store.lock(connection, job.account)
                rows = await connection.fetch(_SQL["import_undo_rows"], job.id, self._step_rows)
                if not rows:
                    return
                found = [
                    (
                        each["contact"],
                        each["revision"],
                        each["before"],
                        each["verdict"] == Verdict.CREATED,
                    )
                    for each in rows
                ]
                done = await store.revert(connection, job.account, found, job.id, self._store)
                marks = [Verdict.UNDONE if each else Verdict.KEPT for each in done]
                lines = [each["line"] for each in rows]
                await connection.execute(_SQL["import_undo_marks"], job.id, lines, marks)
                undone = sum(done)
                ours = await connection.fetchval(
                    _SQL["import_undo_counts"], job.id, self._term, undone, len(done) - undone
                )
                if ours is None:
                    raise Lost
            await asyncio.sleep(0)

    async def _end(self, connection: Connection, job: Job, state: str, detail: str | None) -> None:
        async with connection.transaction():
            row = await connection.fetchrow(_SQL["import_end"], job.id, self._term, state, detail)
            if row is None or job.dry_run:
                return
            told = {"import": format_id(PREFIX, job.id), "rows": row["rows_read"]}
            action = f"contacts.import_{state}"
            entry = AuditEntry(self._ids.next(), job.account, JOB, action, None, told)
            await audit.append(connection, [entry])

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._wall_ms() / 1000, UTC)


def _named(external_id: str | None) -> tuple[bytes, ...]:
    """A key that no index of a number is: those have 16 octets."""
    return () if external_id is None else (b"external id " + external_id.encode(),)


async def _slices(found: AsyncIterator[Iterable[RawRow]]) -> AsyncIterator[list[RawRow]]:
    """SLICE_ROWS at most at once."""
    async for rows in found:
        held: list[RawRow] = []
        for row in rows:
            held.append(row)
            if len(held) == SLICE_ROWS:
                yield held
                held = []
        if held:
            yield held
