"""Schema migrations: ordered SQL files, each applied once and never edited afterwards.

Owns the table `schema_migration`. Must not know what the files say.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from storage.sql import load

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from storage.pool import Connection

SQL = load("storage")
FOLDER = Path(__file__).parent / "migrations"
LOCK_TIMEOUT = "30s"  # a migration that waits for a table makes everyone behind it wait, too

_FILE_NAME = re.compile(r"\d{4}_[a-z0-9_]+\.sql")


class MigrationError(Exception):
    """The schema cannot be brought up to date. One line for the operator."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its name decides the order."""

    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations_in(folder: Path) -> list[Migration]:
    """The `NNNN_name.sql` files of a folder, in order.

    Raises MigrationError for a malformed or repeated number.
    """
    migrations = [
        Migration(path.name, path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*.sql"))
    ]
    numbers = [migration.name[:4] for migration in migrations]
    for migration, number in zip(migrations, numbers, strict=True):
        if _FILE_NAME.fullmatch(migration.name) is None or numbers.count(number) > 1:
            raise MigrationError(f"{migration.name}: expected one file per number, NNNN_name.sql")
    return migrations


async def migrate(
    connection: Connection, migrations: Sequence[Migration] | None = None
) -> list[str]:
    """Apply what is missing, each file in a transaction of its own. Returns their names.

    Processes that start together wait for the first one. Must not run inside a transaction. Raises
    MigrationError for these causes:

    - A file was changed after it was applied.
    - The database is newer than this code.
    - A file would be applied out of order.
    - A file fails. Nothing of it stays, and those before it do: the next start goes on with it.
    """
    known = migrations_in(FOLDER) if migrations is None else migrations
    await connection.execute(SQL["lock_migrations"])
    try:
        await connection.execute(SQL["create_schema_migration"])
        rows = await connection.fetch(SQL["applied_migrations"])
        pending = _pending(known, {row["name"]: row["checksum"] for row in rows})
        for migration in pending:
            await _apply(connection, migration)
    finally:
        if not connection.is_closed():
            await connection.execute(SQL["unlock_migrations"])
    return [migration.name for migration in pending]


async def _apply(connection: Connection, migration: Migration) -> None:
    async with connection.transaction():
        await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
        try:
            await connection.execute(migration.sql)
        except asyncpg.PostgresError as error:
            raise MigrationError(f"{migration.name}: {error}") from error
        await connection.execute(SQL["record_migration"], migration.name, migration.checksum)


async def missing(connection: Connection) -> list[str]:
    """The names of the files that migrate() would apply. Changes nothing. Raises MigrationError as
    it does.
    """
    known = migrations_in(FOLDER)
    if not await connection.fetchval(SQL["has_schema"]):
        return [migration.name for migration in known]
    rows = await connection.fetch(SQL["applied_migrations"])
    pending = _pending(known, {row["name"]: row["checksum"] for row in rows})
    return [migration.name for migration in pending]


def _pending(known: Sequence[Migration], applied: Mapping[str, str]) -> list[Migration]:
    newer = applied.keys() - {migration.name for migration in known}
    if newer:
        raise MigrationError(
            f"the database is from a newer version: it has {', '.join(sorted(newer))}"
        )
    for migration in known:
        if applied.get(migration.name, migration.checksum) != migration.checksum:
            raise MigrationError(
                f"{migration.name} was changed after it was applied: restore the file and add"
                " a new one instead"
            )
    pending = [migration for migration in known if migration.name not in applied]
    if pending and applied and pending[0].name < max(applied):
        raise MigrationError(f"{pending[0].name} comes before {max(applied)}, which is applied")
    return pending
