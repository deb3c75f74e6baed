"""Imports of suppressions, committed in steps.

Owns the steps: what the rows of one change, its verdicts and how far the import is are one
transaction. Must not read a file. A process that dies between two steps leaves whole steps; the
same file under the same key goes on behind them.

The sending side hears of the new entries before they are committed. Webhooks are not told: a
million events would hide those of people who opt out.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Literal

import asyncpg
import msgspec

from dlr.reasons import Reason
from recipients.files import imports
from recipients.files.import_plan import (
    ADDED,
    EXISTS,
    ImportRow,
    Plan,
    RefusedRow,
    Since,
    Taken,
    planned,
)
from recipients.files.imports import Begun, ImportView, ImportWish, StepDone
from recipients.just_stopped import JustStopped
from recipients.suppression_desk import Listed, opted_out_of
from storage import audit, sql, suppression
from storage.audit import AuditEntry
from storage.crypto import NumberVault, mask
from storage.faults import Overloaded, StorageDown, or_storage_down
from storage.ids import ID_MAX, IdSource, format_id, time_of
from storage.pool import Connection, Dedicated
from storage.reading import reading
from storage.suppression import Key, Suppression

SOURCE = "import"
ACTION = "suppression.import"
PREFIX = "imp"
STEP_ROWS = 2_000
SLICE_ROWS = 100  # between two turns for others
RUNNING_MAX = 2  # in this process

_SQL = sql.load("recipients")

Row = ImportRow | RefusedRow
Verdict = tuple[int, str, str | None, str | None, str | None]  # line, code, number, detail, field


class ImportRefused(Exception):
    """`running`: it is being imported. `other`: the key was used for another file or request."""

    def __init__(self, why: Literal["running", "other"]) -> None:
        super().__init__(why)
        self.why = why


class RunningImport:
    """One run. Ends with finish() or interrupt()."""

    def __init__(self, desk: ImportDesk, account: int, begun: Begun, *, bring_back: bool) -> None:
        """`bring_back`: what was taken back is added, too."""
        self.id = begun.id
        self.begun = begun
        self.rows_done = self.rows_read = begun.rows_read
        self.digest_done = begun.digest
        self.done = begun.done
        self.account = account
        self.bring_back = bring_back
        self._desk = desk

    async def step(self, rows: Sequence[Row], digest: bytes) -> None:
        """Commit the next rows. `digest`: of all rows up to their end. Raises ImportRefused,
        StorageDown.
        """
        taken: list[Taken] = []
        for start in range(0, len(rows), SLICE_ROWS):
            taken += [
                self._desk.taken(self.account, self.id, row)
                for row in rows[start : start + SLICE_ROWS]
                if isinstance(row, ImportRow)
            ]
            await asyncio.sleep(0)
        for last in (False, False, True):
            try:
                async with self._desk.writing() as connection:
                    await self._desk.store(connection, self, rows, taken, digest)
                break
            except StorageDown as error:
                # Two writers may have waited for each other, and one of them was rolled back.
                if last or not isinstance(error.__cause__, asyncpg.DeadlockDetectedError):
                    raise
        self.rows_read += len(rows)

    async def finish(self) -> None:
        """The file has ended. Raises ImportRefused, StorageDown."""
        if not self.done:
            await self._desk.end(self, "done", None)

    async def interrupt(self, why: str) -> None:
        """It has not. Raises StorageDown, ImportRefused; then it counts as interrupted later."""
        if not self.done:
            await self._desk.end(self, "interrupted", why)

    def over(self) -> None:
        """This run has ended, however it did."""
        self._desk.over(self)


class ImportDesk:
    """Implements SuppressionImports."""

    def __init__(
        self,
        pool: asyncpg.Pool[asyncpg.Record],
        dedicated: Dedicated,
        *,
        term: int,
        vault: NumberVault,
        ids: IdSource,
        stopped: JustStopped,
        wall_ms: Callable[[], int],
        listed: Listed | None = None,
    ) -> None:
        self._pool = pool
        self._dedicated = dedicated
        self._term = term
        self._vault = vault
        self._ids = ids
        self._stopped = stopped
        self._wall_ms = wall_ms
        self._listed = listed
        self._turn = asyncio.Lock()  # of the one connection
        self._running: set[int] = set()
        self.opted_out = 0

    async def begin(
        self, account: int, actor: str, wish: ImportWish, *, bring_back: bool
    ) -> RunningImport:
        """A run that stands on record. Raises ImportRefused, Overloaded, StorageDown."""
        if len(self._running) >= RUNNING_MAX:
            raise Overloaded()
        import_id = self._ids.next()
        self._running.add(import_id)  # before the first await: the place is taken
        try:
            async with self.writing() as connection:
                begun = await self._begun(connection, import_id, account, actor, wish)
                if not begun.dry_run and not begun.done:
                    detail = {"import": format_id(PREFIX, begun.id), "format": wish.format}
                    await audit.append(connection, [self._entry(account, actor, detail)])
        finally:
            self._running.discard(import_id)
        self._running.add(begun.id)
        return RunningImport(self, account, begun, bring_back=bring_back)

    @property
    def running(self) -> int:
        """Runs in this process."""
        return len(self._running)

    def over(self, run: RunningImport) -> None:
        """A run has ended, however it did."""
        self._running.discard(run.id)

    async def view(self, account: int, import_id: int) -> ImportView | None:
        """How far one import is. Raises StorageDown."""
        async with reading(self._pool) as connection:
            found = await imports.views(connection, account, before=ID_MAX, only=import_id, limit=1)
        return found[0] if found else None

    async def listed(self, account: int, *, before: int | None, limit: int) -> list[ImportView]:
        """An account's imports, the latest first. Raises StorageDown."""
        before = ID_MAX if before is None else before
        async with reading(self._pool) as connection:
            return await imports.views(connection, account, before=before, only=None, limit=limit)

    async def verdicts(self, import_id: int, *, every: bool) -> AsyncIterator[list[Verdict]]:
        """The verdicts of an import: the refused rows first; then, with `every`, the others.

        Raises StorageDown.
        """
        for refused in (True, False) if every else (True,):
            after = -1
            while True:
                async with reading(self._pool) as connection:
                    found = await imports.steps(connection, import_id, after)
                if not found:
                    break
                for first_row, refused_lines, taken_lines in found:
                    after = first_row
                    yield _verdicts.decode_lines(refused_lines if refused else taken_lines)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Connection]:
        """A transaction on the connection of imports. Raises StorageDown."""
        async with self._turn:
            with or_storage_down():
                async with self._dedicated.transaction() as connection:
                    yield connection

    def taken(self, account: int, import_id: int, row: ImportRow) -> Taken:
        """The entry that a row asks for."""
        detail = format_id(PREFIX, import_id)
        if row.since is not None:
            detail = f"{detail}, since {row.since.astimezone(UTC).isoformat(timespec='seconds')}"
        return Taken(
            row,
            Suppression(
                to_idx=self._vault.index(row.number),
                reason=row.reason,
                source=SOURCE,
                account=account,
                category=row.category,
                detail=detail,
                expires_at=row.expires_at,
                to_enc=self._vault.seal(row.number),
                senders=row.senders,
            ),
        )

    async def store(
        self,
        connection: Connection,
        run: RunningImport,
        rows: Sequence[Row],
        taken: Sequence[Taken],
        digest: bytes,
    ) -> None:
        """Write one step in the caller's transaction."""
        now = datetime.fromtimestamp(self._wall_ms() / 1000, UTC)
        keys = {each.entry.key for each in taken}
        there = {entry.key: entry for entry in await suppression.locked(connection, keys)}
        since = Since({}, {}) if run.bring_back else await self._since(connection, run, taken)
        plan = planned(taken, there, since, now)
        if run.begun.dry_run:
            written = await self._rehearse(connection, run.id, plan)
        else:
            self._stopped.add_many([*plan.new.values(), *plan.instead.values()], self._wall_ms())
            await suppression.replace(connection, plan.instead.keys(), [*plan.instead.values()])
            written = await suppression.add_new(connection, [*plan.new.values()], now)
            written |= plan.instead.keys()
        done = _step_done(rows, taken, plan, written, digest)
        if not await imports.step(connection, run.begun, run.rows_read, done):
            raise ImportRefused("running")
        if not run.begun.dry_run:
            after = {**plan.new, **plan.instead}
            await self._name(connection, run, taken, opted_out_of(after.values(), written))
            self.opted_out += sum(after[key].reason == Reason.OPTED_OUT for key in written)

    async def _name(
        self,
        connection: Connection,
        run: RunningImport,
        taken: Sequence[Taken],
        opted_out: Collection[bytes],
    ) -> None:
        if self._listed is None or not opted_out:
            return
        indexes = set(opted_out)
        for each in taken:
            if each.entry.to_idx in opted_out:
                indexes.update(self._vault.other_indexes(each.row.number))
        await self._listed(connection, run.account, indexes)

    async def end(self, run: RunningImport, state: str, detail: str | None) -> None:
        """Record how a run has ended."""
        async with self.writing() as connection:
            counts = await imports.end(connection, run.begun, state, detail)
            if counts is None:
                raise ImportRefused("running")
            if run.begun.dry_run:
                await connection.execute(_SQL["import_rehearsal"])
                await connection.execute(_SQL["import_rehearsed"], run.id)
            else:
                told = {
                    "import": format_id(PREFIX, run.id),
                    "rows": counts["rows_read"],
                    "added": counts["added"],
                    "existing": counts["existing"],
                    "refused": counts["refused"],
                }
                await audit.append(connection, [self._entry(run.account, SOURCE, told)])

    async def _begun(
        self, connection: Connection, import_id: int, account: int, actor: str, wish: ImportWish
    ) -> Begun:
        if wish.request_key is not None:
            found = await imports.by_key(connection, account, wish.request_key)
            if found is not None:
                known, fingerprint = found
                if fingerprint != wish.fingerprint:
                    raise ImportRefused("other")
                if known in self._running:
                    raise ImportRefused("running")
                begun = await imports.again(connection, known, self._term)
                if begun is None:
                    raise ImportRefused("running")
                return begun
        begun = await imports.begin(connection, import_id, account, actor, self._term, wish)
        if begun is None:
            raise ImportRefused("running")
        return begun

    async def _since(
        self, connection: Connection, run: RunningImport, taken: Sequence[Taken]
    ) -> Since:
        # What is on record stays under the index that an earlier number key gave.
        today = {
            index: each.entry.to_idx
            for each in taken
            for index in self._vault.indexes_ever(each.row.number)
        }
        indexes = list(today)
        undone: dict[bytes, list[tuple[int | None, datetime]]] = {}
        for row in await connection.fetch(_SQL["taken_back"], indexes, run.account):
            at = time_of(row["id"])
            undone.setdefault(today[row["subject"]], []).append((row["category"], at))
        granted: dict[bytes, list[tuple[int, datetime]]] = {}
        if any(each.row.since is not None for each in taken):
            for row in await connection.fetch(_SQL["granted_at"], indexes, run.account):
                granted.setdefault(today[row["to_idx"]], []).append((row["category"], row["at"]))
        return Since(undone, granted)

    async def _rehearse(self, connection: Connection, import_id: int, plan: Plan) -> set[Key]:
        """The keys that would have been written, and were not by an earlier row."""
        keys = [*plan.new, *plan.instead]
        await connection.execute(_SQL["import_rehearsal"])
        rows = await connection.fetch(
            _SQL["import_rehearse"], import_id, [key[0] for key in keys], [key[2] for key in keys]
        )
        first = {(row["to_idx"], row["category"]) for row in rows}
        return {key for key in keys if (key[0], key[2]) in first}

    def _entry(self, account: int, actor: str, detail: Mapping[str, object]) -> AuditEntry:
        return AuditEntry(self._ids.next(), account, actor, ACTION, None, detail)


_verdicts = msgspec.json.Decoder(Verdict)


def _step_done(
    rows: Sequence[Row], taken: Sequence[Taken], plan: Plan, written: set[Key], digest: bytes
) -> StepDone:
    """Counts and verdicts of a step. Of what was planned only `written` has come true."""
    decided = iter(zip(taken, plan.verdicts, strict=True))
    refused: list[Verdict] = []
    kept: list[Verdict] = []
    for row in rows:
        verdict: str | RefusedRow
        if isinstance(row, RefusedRow):
            verdict = row
            shown = row.shown
        else:
            each, verdict = next(decided)
            shown = mask(row.number)
            if verdict == ADDED and each.entry.key not in written:
                verdict = EXISTS  # somebody else was first, or an earlier step of a dry run
        if isinstance(verdict, RefusedRow):
            refused.append((row.line, verdict.code, shown, verdict.detail, verdict.field))
        else:
            kept.append((row.line, verdict, shown, None, None))
    added = sum(verdict[1] == ADDED for verdict in kept)
    return StepDone(
        rows=len(rows),
        added=added,
        existing=len(kept) - added,
        refused_by=Counter(verdict[1] for verdict in refused),
        digest=digest,
        refused_lines=_encoder.encode_lines(refused),
        taken_lines=_encoder.encode_lines(kept),
    )


_encoder = msgspec.json.Encoder()
