"""`smsgate database backup`: everything as of one moment, in a folder of its own.

Owns what is printed, which files go with the database, and the copy of the number key. Must not
know how a database is dumped (storage/backup.py).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from gateway.commands import CommandFailed
from gateway.commands.noting import note
from gateway.commands.setting_up import (
    configuration,
    configuration_file,
    existing_keys,
    one_line,
    progress,
    reached,
    refuse_old_schema,
    refuse_without_database,
)
from gateway.config import Config
from shortlinks.service import JOURNAL_FOLDER
from storage import audit_anchor
from storage.backup import Source, note_backup, take_backup
from storage.keys import FILE_NAME, NEXT_FILE_NAME, VARIABLE, load_next
from storage.manifest import thin_out
from storage.postgres_clients import find_clients

ACTION = "database.backup"


def run(arguments: argparse.Namespace) -> int:
    """Whether or not gateways run."""
    config = configuration(arguments)
    with one_line():
        refuse_without_database(config)
        if arguments.taken_elsewhere:
            said, lines = asyncio.run(_note_other(config))
        else:
            said, lines = asyncio.run(_backup(config, arguments))
    print(json.dumps(said) if arguments.json else "\n".join(lines))
    return 0


async def _note_other(config: Config) -> tuple[Mapping[str, object], list[str]]:
    now = datetime.now(UTC)
    async with reached(config, "backup") as (_, connection):
        await refuse_old_schema(connection, config)
        async with connection.transaction():
            await note_backup(connection, now, 0, elsewhere=True)
            await note(connection, ACTION, {"how": "elsewhere"})
    return {"taken_at": now.isoformat()}, [f"noted: a backup was taken elsewhere at {_utc(now)}"]


async def _backup(
    config: Config, arguments: argparse.Namespace
) -> tuple[Mapping[str, object], list[str]]:
    place = Path(arguments.to)
    folder = Path(config.database.data_dir)
    key_said = _copy_key(config, arguments.key_to, place)
    async with reached(config, "backup") as (url, connection):
        await refuse_old_schema(connection, config)
        source = Source(
            url=url,
            programs=find_clients(_path(arguments.programs), progress),
            version=version("smsgate"),
            files=lambda: _files(folder, configuration_file(arguments)),
        )
        made, manifest = await take_backup(connection, source, place, progress)
        async with connection.transaction():
            await note_backup(connection, manifest.taken_at, manifest.bytes)
            await note(connection, ACTION, {"taken_at": manifest.taken_at.isoformat()})
    removed = [] if arguments.keep is None else thin_out(place, arguments.keep)
    rows = sum(manifest.tables.values())
    said: dict[str, object] = {
        "folder": str(made),
        "taken_at": manifest.taken_at.isoformat(),
        "bytes": manifest.bytes,
        "tables": len(manifest.tables),
        "rows": rows,
        "key_fingerprint": manifest.key_fingerprint,
        "key_copy": arguments.key_to,
        "removed": [str(path) for path in removed],
    }
    return said, [
        f"{made}: {len(manifest.tables)} tables, {rows} rows, {manifest.bytes / 1e6:.1f} MB,"
        f" as of {_utc(manifest.taken_at)}",
        *(f"removed {path}" for path in removed),
        key_said,
    ]


def _files(folder: Path, config_file: Path | None) -> dict[str, Path]:
    """What belongs to a database and is not in it, by the name that it has in the backup."""
    found = {
        f"{JOURNAL_FOLDER}/{path.name}": path for path in (folder / JOURNAL_FOLDER).glob("*.clicks")
    }
    found[audit_anchor.FILE_NAME] = folder / audit_anchor.FILE_NAME
    if config_file is not None:
        found["smsgate.toml"] = config_file
    return found


def _copy_key(config: Config, target: str | None, place: Path) -> str:
    """Copy the number key if asked; what is to be said of it. Raises CommandFailed."""
    fingerprint = existing_keys(config).fingerprint
    if load_next(Path(config.database.data_dir), os.environ) is not None:
        progress(f"the number key is being changed: {NEXT_FILE_NAME} is needed as well")
    at = f"${VARIABLE}"
    if VARIABLE not in os.environ:
        at = str(Path(config.database.data_dir) / FILE_NAME)
    if target is None:
        return f"the number key {fingerprint} is not in it: keep a copy of {at} elsewhere"
    path = Path(target).absolute()
    if path.is_relative_to(place.absolute()):
        raise CommandFailed(f"{path} lies beside the backups: keep the number key apart from them")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise CommandFailed(f"{path} is there already") from None
    with open(descriptor, "wb") as copy:
        if VARIABLE in os.environ:
            copy.write(os.environ[VARIABLE].strip().encode("ascii") + b"\n")
        else:
            with open(at, "rb") as key:
                shutil.copyfileobj(key, copy)
        copy.flush()
        os.fsync(copy.fileno())
    return f"the number key {fingerprint} is in {path}: keep it apart from the backups"


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
