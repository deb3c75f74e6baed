"""A backup of the whole database while gateways run: one snapshot, dumped and counted.

Owns what a backup's folder holds of the database, and the table `backup`. Must not write into the
folder after its manifest, and never holds the number key.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import asyncpg

from storage import manifest as manifests
from storage.manifest import DUMP_FOLDER, FILES_FOLDER, FORM, BackupUnusable, Manifest, sums_of
from storage.pool import Connection
from storage.postgres_clients import run_client
from storage.sql import load

SQL = load("storage")
JOBS = 2
LOCK_WAIT_MS_MAX = 30_000  # behind a migration
NOTED_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Source:
    """What is backed up: the database at `url`, and the files beside it that `files` lists now, by
    their names in the backup. `programs` is the folder of pg_dump, `version` our own.
    """

    url: str
    programs: Path
    version: str
    files: Callable[[], Mapping[str, Path]]


class BackupAge:
    """When the last backup was taken, as this process knows it."""

    def __init__(self) -> None:
        self.timestamp = 0.0  # seconds since the epoch; 0: there was none

    async def turn(self, connection: Connection, now: datetime) -> None:
        """Look it up."""
        taken_at = await connection.fetchval(SQL["last_backup"])
        self.timestamp = 0.0 if taken_at is None else taken_at.timestamp()


async def take_backup(
    connection: Connection, source: Source, place: Path, told: Callable[[str], None]
) -> tuple[Path, Manifest]:
    """Make a folder below `place` with everything as of one moment. Returns it.

    `connection` holds the snapshot meanwhile, and is used for nothing else. `told` hears how far it
    is. One that fails leaves nothing; one that is killed, a folder without a manifest. Raises
    BackupUnusable.
    """
    files, folder = _Files(source.files), None
    files.look()
    try:
        await connection.execute("SET idle_in_transaction_session_timeout = 0")
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            row = await connection.fetchrow(SQL["export_snapshot"])
            assert row is not None
            if row["migration"] is None:
                raise BackupUnusable("there is no database of smsgate's to back up")
            folder = _made(place, row["taken_at"])
            files.look()  # a file that began since the first look
            await asyncio.to_thread(files.copy, folder / FILES_FOLDER)
            await _keep_tables(connection)
            await _dump(source, folder, row["snapshot"], told)
            tables = await row_counts(connection)
        told("writing sums")
        manifest = Manifest(
            form=FORM,
            smsgate=source.version,
            taken_at=row["taken_at"].astimezone(UTC),
            server=row["server"],
            migration=row["migration"],
            key_fingerprint=row["key_fingerprint"],
            tables=tables,
            files=await asyncio.to_thread(sums_of, folder),
        )
        await asyncio.to_thread(manifests.write, folder, manifest)
    except BaseException:
        if folder is not None:  # night after night it would fill the disk
            shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        files.close()
    return folder, manifest


async def _keep_tables(connection: Connection) -> None:
    """What is dumped is counted later: until then no day of it may be dropped."""
    await connection.execute(f"SET LOCAL lock_timeout = {LOCK_WAIT_MS_MAX}")
    for row in await connection.fetch(SQL["tables_of_schema"]):
        try:
            await connection.execute(row["keeping"])
        except asyncpg.LockNotAvailableError as error:
            raise BackupUnusable(f"{row['name']} is held, as by a migration: later") from error


async def row_counts(connection: Connection) -> dict[str, int]:
    """Rows by table, as the connection's snapshot sees them."""
    tables = await connection.fetch(SQL["tables_of_schema"])
    return {row["name"]: await connection.fetchval(row["counting"]) for row in tables}


async def note_backup(
    connection: Connection, taken_at: datetime, size: int, *, elsewhere: bool = False
) -> None:
    """Say in the database that a backup was taken; `elsewhere`: by another tool."""
    await connection.execute(SQL["note_backup"], taken_at, size, elsewhere)
    await connection.execute(SQL["forget_backups"], NOTED_MAX)


class _Files:
    """Open files, read after the snapshot: one that is deleted meanwhile is still there."""

    def __init__(self, listed: Callable[[], Mapping[str, Path]]) -> None:
        self._listed = listed
        self._open: dict[str, IO[bytes]] = {}

    def look(self) -> None:
        for name, path in self._listed().items():
            if name not in self._open:
                with contextlib.suppress(FileNotFoundError):
                    self._open[name] = path.open("rb")

    def copy(self, folder: Path) -> None:
        for name, file in self._open.items():
            target = folder / name
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as copy:
                shutil.copyfileobj(file, copy)

    def close(self) -> None:
        for file in self._open.values():
            file.close()


def _made(place: Path, taken_at: datetime) -> Path:
    folder = place / manifests.folder_name(taken_at.astimezone(UTC))
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700)
    except FileExistsError:
        raise BackupUnusable(f"{folder} is there already: another backup of this second") from None
    return folder


async def _dump(source: Source, folder: Path, snapshot: str, told: Callable[[str], None]) -> None:
    target = folder / DUMP_FOLDER

    def progress() -> None:
        size = sum(path.stat().st_size for path in target.glob("*"))
        told(f"dumping: {size / 1e6:.1f} MB so far")

    await run_client(
        [
            str(source.programs / "pg_dump"), "--format=directory", f"--jobs={JOBS}",
            "--compress=gzip", "--no-owner", "--no-privileges", "--schema=public",
            f"--snapshot={snapshot}", f"--lock-wait-timeout={LOCK_WAIT_MS_MAX}",
            f"--file={target}",
        ],
        source.url,
        progress,
    )  # fmt: skip
