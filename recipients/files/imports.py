"""The tables of imports: how far each is, and the verdicts of its rows.

Owns `suppression_import` and `suppression_import_step`. Must not know what a row means. Each write
stands in the caller's transaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from storage import sql
from storage.ids import time_of
from storage.pool import Connection

SILENT_SECONDS_MAX = 60  # a running import commits a step more often
STEPS_READ = 20  # at once, where verdicts are shown

_SQL = sql.load("recipients")
_SILENT = timedelta(seconds=SILENT_SECONDS_MAX)
NOTHING = bytes(32)  # the digest of no rows


class ImportWish(msgspec.Struct, frozen=True, kw_only=True):
    """What a request asks for, beside the rows. `request_key`: its Idempotency-Key."""

    format: str
    dry_run: bool
    parameters: Mapping[str, str]
    request_key: str | None = None
    ignored: Sequence[str] = ()  # columns that are known and not stored

    @property
    def fingerprint(self) -> bytes:
        """Equal for two requests that ask for the same."""
        asked = (self.format, self.dry_run, sorted(self.parameters.items()))
        return hashlib.sha256(msgspec.json.encode(asked)).digest()


class ImportView(msgspec.Struct, frozen=True, kw_only=True):
    """How far an import is. `detail` says why it was interrupted."""

    id: int
    state: str  # running | interrupted | done
    detail: str | None
    format: str
    dry_run: bool
    rows_read: int
    added: int
    existing: int
    refused: int
    refused_by: Mapping[str, int]
    ignored: Sequence[str]
    created_at: datetime
    touched_at: datetime
    finished_at: datetime | None


class Begun(msgspec.Struct, frozen=True):
    """A run of an import. `rows_read` rows of the file are done, with this digest."""

    id: int
    run: int
    rows_read: int
    digest: bytes
    dry_run: bool
    done: bool


class StepDone(msgspec.Struct, frozen=True, kw_only=True):
    """What a step did."""

    rows: int
    added: int
    existing: int
    refused_by: Mapping[str, int]
    digest: bytes
    refused_lines: bytes
    taken_lines: bytes


async def by_key(
    connection: Connection, account: int, request_key: str
) -> tuple[int, bytes] | None:
    """The import that this key has begun, and the fingerprint of what it asked for."""
    row = await connection.fetchrow(_SQL["import_by_key"], account, request_key)
    return None if row is None else (row["id"], row["wanted"])


async def begin(
    connection: Connection, import_id: int, account: int, actor: str, term: int, wish: ImportWish
) -> Begun | None:
    """A new import; None where its key has begun one."""
    made = await connection.fetchval(
        _SQL["import_begin"],
        import_id, account, actor, wish.request_key, wish.fingerprint, wish.format, wish.dry_run,
        term, list(wish.ignored), NOTHING,
    )  # fmt: skip
    return None if made is None else Begun(import_id, 1, 0, NOTHING, wish.dry_run, done=False)


async def again(connection: Connection, import_id: int, term: int) -> Begun | None:
    """The next run of an import; None while the one before may still be at it."""
    row = await connection.fetchrow(_SQL["import_again"], import_id, term, _SILENT)
    if row is None:
        return None
    done = row["state"] == "done"
    return Begun(import_id, row["run"], row["rows_read"], row["digest"], row["dry_run"], done)


async def step(connection: Connection, begun: Begun, rows_before: int, done: StepDone) -> bool:
    """Record a step. False: a later run has taken over."""
    refused = sum(done.refused_by.values())
    taken = await connection.fetchval(
        _SQL["import_step"],
        begun.id, begun.run, rows_before, done.rows, done.added, done.existing, refused,
        msgspec.json.encode(done.refused_by).decode(), done.digest,
    )  # fmt: skip
    if taken is None:
        return False
    await connection.execute(
        _SQL["import_step_verdicts"], begun.id, rows_before, done.refused_lines, done.taken_lines
    )
    return True


async def end(
    connection: Connection, begun: Begun, state: str, detail: str | None
) -> Mapping[str, int] | None:
    """Record that a run has ended; the counts. None: a later one has taken over."""
    row = await connection.fetchrow(_SQL["import_end"], begun.id, begun.run, state, detail)
    return None if row is None else dict(row)


async def views(
    connection: Connection, account: int, *, before: int, only: int | None, limit: int
) -> list[ImportView]:
    """An account's imports before an id, the latest first; or that with the id `only`."""
    rows = await connection.fetch(_SQL["imports"], account, before, only, limit, _SILENT)
    return [
        ImportView(
            created_at=time_of(row["id"]),
            refused_by=msgspec.json.decode(row["refused_by"]),
            **{name: row[name] for name in _COPIED},
        )
        for row in rows
    ]


_COPIED = tuple(
    name for name in ImportView.__struct_fields__ if name not in ("created_at", "refused_by")
)


async def steps(
    connection: Connection, import_id: int, after_row: int
) -> list[tuple[int, bytes, bytes]]:
    """(first row, refused lines, taken lines) of the steps behind a row, STEPS_READ at most."""
    rows = await connection.fetch(_SQL["import_steps"], import_id, after_row, STEPS_READ)
    return [(row["first_row"], row["refused"], row["taken"]) for row in rows]
