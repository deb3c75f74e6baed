"""`smsgate database restore`: an empty database is filled from a backup.

Owns the order of the steps, what is printed, and the files beside the database. Must not know how a
dump is read (storage/restoring.py), nor what becomes of what waited (dispatch/outbox/restored.py)
and of campaigns (campaigns/running/stopping.py).

Each step may be the last one before a power cut: then the same command begins anew.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from campaigns.running import stopping
from dispatch.outbox.restored import Waiting, settle_waiting
from gateway.commands import CommandFailed
from gateway.commands.noting import note
from gateway.commands.setting_up import configuration, existing_keys, one_line, progress, reached
from gateway.config import Config
from gateway.config.values import DatabaseUrl
from shortlinks.service import JOURNAL_FOLDER
from storage import audit_anchor, manifest, restoring, sql
from storage.data_dir import make_data_dir
from storage.ids import IdSource
from storage.keys import FILE_NAME
from storage.manifest import FILES_FOLDER, Manifest
from storage.migrate import FOLDER, migrate, migrations_in
from storage.partitions import ensure_partitions
from storage.pool import EMBEDDED, Connection
from storage.postgres_clients import find_clients
from storage.terms import HostIdentity, OwnerTerm

_SQL = sql.load("gateway")
ACTION = "database.restore"
HELD = {
    "hold": "are unconfirmed: their owners decide whether they go again",
    "resend": "are sent, also those that were sent after the backup",
    "drop": "are given up",
}


class Stopped(NamedTuple):
    """How many messages waited, and how many campaigns were under way."""

    messages: int
    campaigns: int


def run(arguments: argparse.Namespace) -> int:
    """No gateway may run on the database."""
    config = _into(configuration(arguments), arguments.into)
    with one_line():
        folder = Path(arguments.backup)
        found = manifest.read(folder)
        _refuse_newer(found)
        _put_key(config, arguments.key, found)
        stopped = asyncio.run(_restore(config, folder, found, arguments))
    said, lines = _told(found, stopped, arguments.outbox)
    print(json.dumps(said) if arguments.json else "\n".join(lines))
    return 0


def _into(config: Config, folder: str | None) -> Config:
    if folder is None:
        return config
    database = msgspec.structs.replace(config.database, url=DatabaseUrl(EMBEDDED), data_dir=folder)
    return msgspec.structs.replace(config, database=database)


def _refuse_newer(found: Manifest) -> None:
    if found.migration not in {each.name for each in migrations_in(FOLDER)}:
        raise CommandFailed(
            f"the backup is of smsgate {found.smsgate}, which is newer: restore it with that"
        )


def _put_key(config: Config, named: str | None, found: Manifest) -> None:
    """The key that the backup's numbers were sealed with is there. Raises CommandFailed."""
    folder = make_data_dir(Path(config.database.data_dir))
    if named is not None and not (folder / FILE_NAME).exists():
        _copy_private(Path(named), folder / FILE_NAME)
    fingerprint = existing_keys(config).fingerprint
    if found.key_fingerprint not in (None, fingerprint):
        raise CommandFailed(
            f"the number key here is {fingerprint}, and the backup needs {found.key_fingerprint}"
        )


async def _restore(
    config: Config, folder: Path, found: Manifest, arguments: argparse.Namespace
) -> Stopped:
    named = arguments.programs
    programs = find_clients(None if named is None else Path(named), progress)
    async with reached(config, "restore") as (url, connection):
        await restoring.prepare(connection)
        _put_files(folder / FILES_FOLDER, Path(config.database.data_dir))
        await restoring.fill(
            connection, url, programs, folder, found, lambda: progress("reading the dump")
        )
        await migrate(connection)
        await restoring.end_old_terms(connection)
        await ensure_partitions(connection, datetime.now(UTC).date())
        stopped = await _settle(connection, Waiting(arguments.outbox))
        async with connection.transaction():
            await restoring.finish(connection, found.taken_at, arguments.outbox, stopped.messages)
            detail = {
                "taken_at": found.taken_at.isoformat(),
                "outbox": arguments.outbox,
                **stopped._asdict(),
            }
            await note(connection, ACTION, detail)
    return stopped


async def _settle(connection: Connection, waiting: Waiting) -> Stopped:
    term = await OwnerTerm.acquire(connection, HostIdentity.current())
    highest = await connection.fetchval(_SQL["highest_id"])
    ids = IdSource(term.node, lambda: time.time_ns() // 1_000_000, above=highest or 0)
    messages = await settle_waiting(connection, ids, waiting)
    async with connection.transaction():
        campaigns = await stopping.pause_restored(connection, ids)
    await term.release(connection)
    return Stopped(messages, campaigns)


def _put_files(source: Path, folder: Path) -> None:
    """What was beside the database; what is here already stays."""
    journal = source / JOURNAL_FOLDER
    for path in (source / audit_anchor.FILE_NAME, *sorted(journal.glob("*"))):
        target = folder / path.relative_to(source)
        if path.exists() and not target.exists():
            target.parent.mkdir(mode=0o700, exist_ok=True)
            _copy_private(path, target)


def _copy_private(source: Path, target: Path) -> None:
    unfinished = target.with_name(f"{target.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as copy, source.open("rb") as original:
        shutil.copyfileobj(original, copy)
        copy.flush()
        os.fsync(copy.fileno())
    unfinished.rename(target)


def _told(found: Manifest, stopped: Stopped, outbox: str) -> tuple[Mapping[str, object], list[str]]:
    rows = sum(found.tables.values())
    moment = found.taken_at.isoformat(timespec="seconds")
    said = {
        "taken_at": moment, "tables": len(found.tables), "rows": rows, **stopped._asdict(),
        "outbox": outbox,
    }  # fmt: skip
    return said, [
        f"restored as of {moment}: {len(found.tables)} tables, {rows} rows",
        f"{stopped.messages} messages waited, and {HELD[outbox]}",
        f"{stopped.campaigns} campaigns were under way, and are paused",
        "not in it: opt-outs, receipts, keys and messages since then",
        "the first start needs `smsgate serve --accept-restored`",
    ]
