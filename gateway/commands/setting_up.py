"""What several commands begin with: the configuration, the database, and their errors in one line.

Owns the translation into CommandFailed of what an operator has to act on. Must not make or migrate
a database.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from gateway.commands import CommandFailed
from gateway.config import Config, ConfigError, load_config
from smpp.tls import TlsError
from storage.crypto import KeyMismatch, NumberVault
from storage.data_dir import existing_cluster
from storage.embedded import EmbeddedError
from storage.faults import DatabaseDown, DatabaseUnusable
from storage.key_rotation import open_vault
from storage.keys import FILE_NAME, VARIABLE, KeyUnusable, NumberKeys, load_keys, load_next
from storage.manifest import BackupUnusable
from storage.migrate import MigrationError, missing
from storage.pool import EMBEDDED, Connection, Database, close_connection, connect
from storage.restoring import NotAccepted, RestoreRefused, refuse_unfinished
from storage.terms import FenceFailed, NoNodeFree

DEFAULT_FILE = Path("smsgate.toml")
CONFIG_VARIABLE = "SMSGATE_CONFIG"
OPERATOR_ERRORS = (
    BackupUnusable, DatabaseDown, DatabaseUnusable, EmbeddedError, FenceFailed, KeyMismatch,
    KeyUnusable, MigrationError, NoNodeFree, NotAccepted, OSError, RestoreRefused, TlsError,
)  # fmt: skip


def configuration_file(arguments: argparse.Namespace) -> Path | None:
    """The file of --config, else of SMSGATE_CONFIG, else ./smsgate.toml if it is there.

    None: the defaults and the environment alone.
    """
    named = arguments.config or os.environ.get(CONFIG_VARIABLE)
    if named:
        return Path(named)
    return DEFAULT_FILE.absolute() if DEFAULT_FILE.exists() else None


def configuration(arguments: argparse.Namespace) -> Config:
    """The configuration with the environment over it. Raises CommandFailed with all that is
    wrong.
    """
    try:
        return load_config(configuration_file(arguments), os.environ)
    except ConfigError as error:
        raise CommandFailed("\n".join(error.faults)) from error


@contextmanager
def one_line() -> Iterator[None]:
    """A context in which what an operator can act on becomes one line and exit code 1."""
    try:
        yield
    except OPERATOR_ERRORS as error:
        raise CommandFailed(str(error)) from error


def progress(line: str) -> None:
    """What the embedded server says while it takes long."""
    print(f"smsgate: {line}", file=sys.stderr, flush=True)


def database_place(config: Config) -> str:
    """Where the database is, for people, without a password."""
    if str(config.database.url) != EMBEDDED:
        return config.database.url.redacted
    return f"embedded in {Path(config.database.data_dir).absolute()}"


def refuse_without_database(config: Config) -> None:
    """Raises CommandFailed where there is no database. Only `serve`, `demo` and `migrate` make one.

    In another folder than the gateway's, every other command would work on an empty one of its own.
    """
    if (
        str(config.database.url) == EMBEDDED
        and existing_cluster(Path(config.database.data_dir)) is None
    ):
        raise CommandFailed(
            f"there is no database {database_place(config)}: run this where the gateway runs, or "
            "name its file with --config; `smsgate serve` and `smsgate migrate` make a new one"
        )


def existing_keys(config: Config) -> NumberKeys:
    """The number key that is there: one made now could decrypt nothing. Raises CommandFailed."""
    folder = Path(config.database.data_dir)
    if VARIABLE not in os.environ and not (folder / FILE_NAME).exists():
        raise CommandFailed(f"there is no number key: neither ${VARIABLE} nor {folder / FILE_NAME}")
    return load_keys(folder, os.environ)


async def existing_vault(connection: Connection, config: Config) -> tuple[NumberVault, NumberKeys]:
    """The vault of this database, and the keys of what is not about numbers. Raises CommandFailed,
    KeyMismatch, KeyUnusable.
    """
    following = load_next(Path(config.database.data_dir), os.environ)
    return await open_vault(connection, existing_keys(config), following)


async def refuse_old_schema(connection: Connection, config: Config) -> None:
    """Raises CommandFailed, MigrationError, NotAccepted."""
    await refuse_unfinished(connection)
    lacking = await missing(connection)
    if lacking:
        raise CommandFailed(
            f"the database {database_place(config)} lacks {len(lacking)} migrations of this "
            "release: run `smsgate migrate`"
        )


async def opened(config: Config, role: str) -> Database:
    """The configured database; the embedded server is started where it does not run. The caller
    closes it.
    """
    return await Database.open(
        str(config.database.url),
        Path(config.database.data_dir),
        application_name=f"smsgate-{role}",
        read_connections=1,
        on_progress=progress,
    )


@asynccontextmanager
async def reached(config: Config, role: str) -> AsyncIterator[tuple[str, Connection]]:
    """The URL of the database, and one connection whose statements may take long. The embedded
    server is made and started where it is not there.
    """
    progress(f"database: {database_place(config)}")
    database = await opened(config, role)
    try:
        connection = await connect(database.url, application_name=f"smsgate-{role}")
        try:
            yield database.url, connection
        finally:
            await close_connection(connection)
    finally:
        await database.close()


@asynccontextmanager
async def existing_database(config: Config, role: str) -> AsyncIterator[Connection]:
    """One connection to a database that is there and of this release, whether or not a gateway
    runs.

    Says on standard error which database it is. Raises CommandFailed.
    """
    refuse_without_database(config)
    progress(f"database: {database_place(config)}")
    database = await opened(config, role)
    try:
        connection = await database.dedicated(role).connection()
        await refuse_old_schema(connection, config)
        yield connection
    finally:
        await database.close()
