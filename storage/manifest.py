"""What a backup says of itself: `manifest.json`, written last, so that a folder without it is none.

Owns its form, the sums of the files, and which folders of a place are backups. Must not read a
database.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from datetime import datetime
from pathlib import Path

import msgspec

FILE_NAME = "manifest.json"
FORM = 1
FOLDER_PREFIX = "smsgate-"
DUMP_FOLDER = "database"
FILES_FOLDER = "files"
_TIME = "%Y%m%dT%H%M%SZ"


class BackupUnusable(Exception):
    """A backup cannot be taken, or is not whole. One line for the operator."""


class FileSum(msgspec.Struct, frozen=True):
    """One file of a backup: its octets and their SHA-256 in hexadecimal."""

    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """`taken_at`: the moment that all of it shows, aware. `migration`: the last one applied.

    `tables`: rows by table. `files`: by path below the backup's folder, with `/`.
    """

    form: int
    smsgate: str
    taken_at: datetime
    server: str
    migration: str
    key_fingerprint: str | None
    tables: dict[str, int]
    files: dict[str, FileSum]

    @property
    def bytes(self) -> int:
        """Of all files together."""
        return sum(each.bytes for each in self.files.values())


def folder_name(moment: datetime) -> str:
    """`smsgate-20261130T024500Z`: the names sort as the moments do."""
    return f"{FOLDER_PREFIX}{moment:{_TIME}}"


def sums_of(folder: Path) -> dict[str, FileSum]:
    """Of every file below it but the manifest."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path != folder / FILE_NAME:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            found[path.relative_to(folder).as_posix()] = FileSum(path.stat().st_size, digest)
    return found


def write(folder: Path, manifest: Manifest) -> None:
    """Write it after all else is on the disk."""
    for path in folder.rglob("*"):
        _sync(path)
    unfinished = folder / f"{FILE_NAME}.unfinished"
    unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n")
    _sync(unfinished)
    unfinished.rename(folder / FILE_NAME)
    _sync(folder)


def read(folder: Path) -> Manifest:
    """The manifest of a backup that is whole. Raises BackupUnusable."""
    try:
        manifest = msgspec.json.decode((folder / FILE_NAME).read_bytes(), type=Manifest)
    except OSError as error:
        raise BackupUnusable(f"{folder} is no backup: it has no {FILE_NAME}") from error
    except msgspec.MsgspecError as error:
        raise BackupUnusable(f"{folder / FILE_NAME} cannot be read: {error}") from error
    if manifest.form != FORM:
        raise BackupUnusable(f"{folder} has the form {manifest.form}; this release reads {FORM}")
    found = sums_of(folder)
    for name in sorted(manifest.files.keys() | found.keys()):
        if manifest.files.get(name) != found.get(name):
            raise BackupUnusable(f"{folder / name} is not as it was written")
    return manifest


def thin_out(place: Path, keep: int) -> list[Path]:
    """Delete all but the newest `keep` whole backups below `place`. Returns what went.

    What has no manifest is left to whoever is at work there.
    """
    whole = sorted(path for path in place.glob(f"{FOLDER_PREFIX}*") if (path / FILE_NAME).is_file())
    gone = whole[: max(0, len(whole) - keep)]
    for path in gone:
        (path / FILE_NAME).unlink()  # first, so that half a backup never looks like one
        shutil.rmtree(path)
    return gone


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
