"""A database made from a backup: filled, counted, and not to be used before it is accepted.

Owns the restore itself, the mark of one that has not ended, and the table `restoration`. Must not
decide what becomes of messages that waited (dispatch/outbox/restored.py).

The schema `smsgate_restore` stands from the first step to the last transaction. A restore that died
in between is recognised by it, and begins anew. No gateway starts meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import msgspec

from storage.backup import row_counts
from storage.manifest import DUMP_FOLDER, BackupUnusable, Manifest
from storage.pool import Connection
from storage.postgres_clients import run_client
from storage.sql import load

SQL = load("storage")
JOBS = 2
AHEAD = 100_000  # terms and blocks of links that may have been given out since the backup


class RestoreRefused(Exception):
    """Not here, or not now. One line for the operator."""


class NotAccepted(Exception):
    """The database was made from a backup, and nobody has said to go on. One line."""


class Restoration(msgspec.Struct, frozen=True):
    """That this database was made from a backup of `taken_at`. `messages` waited in it."""

    id: int
    taken_at: datetime
    restored_at: datetime
    outbox: str
    messages: int


async def prepare(connection: Connection) -> None:
    """Make sure that the database is empty and this restore the only one, and mark it. The
    connection must stay open until the end. Raises RestoreRefused.
    """
    if not await connection.fetchval(SQL["restore_alone"]):
        raise RestoreRefused("another restore is at work in this database")
    if await connection.fetchval(SQL["restore_begun"]):
        for row in await connection.fetch(SQL["tables_of_schema"]):
            await connection.execute(row["dropping"])
        await connection.execute("DROP SCHEMA public CASCADE")
        await connection.execute("CREATE SCHEMA public")
        return
    if await connection.fetch(SQL["tables_of_schema"]):
        raise RestoreRefused(
            "the database is not empty: restore into a new data folder or database"
        )
    await connection.execute(SQL["begin_restore"])


async def fill(
    connection: Connection,
    url: str,
    programs: Path,
    folder: Path,
    manifest: Manifest,
    told: Callable[[], None],
) -> None:
    """Read the dump into the prepared database, and count. Raises BackupUnusable."""
    await connection.execute("DROP SCHEMA public CASCADE")  # the dump makes it
    await run_client(
        [
            str(programs / "pg_restore"), "--format=directory", f"--jobs={JOBS}", "--no-owner",
            "--no-privileges", str(folder / DUMP_FOLDER),
        ],
        url,
        told,
    )  # fmt: skip
    found = await row_counts(connection)
    for table in sorted(manifest.tables.keys() | found.keys()):
        if manifest.tables.get(table) != found.get(table):
            raise BackupUnusable(
                f"{table} has {found.get(table)} rows and had {manifest.tables.get(table)}"
            )
    await connection.execute("ANALYZE")


async def end_old_terms(connection: Connection) -> None:
    """No process of the old database is one of this; nothing that it was given is given again."""
    async with connection.transaction():
        await connection.execute(SQL["end_terms"])
        await connection.execute(SQL["sequences_ahead"], AHEAD)


async def finish(connection: Connection, taken_at: datetime, outbox: str, messages: int) -> None:
    """Inside the caller's transaction, the last one: from its commit on this is a database."""
    await connection.execute(SQL["note_restoration"], taken_at, outbox, messages)
    await connection.execute(SQL["end_restore"])


async def refuse_unfinished(connection: Connection) -> None:
    """Raises NotAccepted where a restore has begun and not ended."""
    if await connection.fetchval(SQL["restore_begun"]):
        raise NotAccepted(
            "a restore has begun in this database and not ended: run it again, the same way"
        )


async def unaccepted(connection: Connection) -> Restoration | None:
    """The restoration that nobody has accepted yet."""
    row = await connection.fetchrow(SQL["unaccepted_restoration"])
    return None if row is None else Restoration(*row)


async def accept(connection: Connection) -> None:
    """Go on with what was restored; inside the caller's transaction."""
    await connection.execute(SQL["accept_restoration"])
