"""What several commands begin with: the configuration, the database, and their errors in one line.

Owns the translation of what an operator has to act on into CommandFailed.
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
from storage.crypto import KeyMismatch
from storage.embedded import EmbeddedError
from storage.faults import DatabaseDown, DatabaseUnusable
from storage.keys import KeyUnusable
from storage.leases import FenceFailed, NoNodeFree
from storage.migrate import MigrationError, migrate
from storage.pool import Connection, Database

DEFAULT_FILE = Path("smsgate.toml")
OPERATOR_ERRORS = (
    DatabaseDown, DatabaseUnusable, EmbeddedError, FenceFailed, KeyMismatch, KeyUnusable,
    MigrationError, NoNodeFree, OSError, TlsError,
)  # fmt: skip


def read_configuration(arguments: argparse.Namespace) -> Config:
    """The configuration of --config, else of ./smsgate.toml, else the defaults; with the
    environment over it. Raises ConfigError.
    """
    if arguments.config is not None:
        path: Path | None = Path(arguments.config)
    else:
        path = DEFAULT_FILE if DEFAULT_FILE.exists() else None
    return load_config(path, os.environ)


def configuration(arguments: argparse.Namespace) -> Config:
    """As read_configuration; what is wrong ends the command."""
    try:
        return read_configuration(arguments)
    except ConfigError as error:
        raise CommandFailed(str(error)) from error


@contextmanager
def one_line() -> Iterator[None]:
    """Whatever an operator can act on becomes one line and exit code 1."""
    try:
        yield
    except OPERATOR_ERRORS as error:
        raise CommandFailed(str(error)) from error


def progress(line: str) -> None:
    """What the embedded server says while it takes long."""
    print(f"smsgate: {line}", file=sys.stderr, flush=True)


@asynccontextmanager
async def migrated_database(config: Config, role: str) -> AsyncIterator[Connection]:
    """One connection to the migrated database; whether or not a gateway runs on it."""
    database = await Database.open(
        str(config.database.url),
        Path(config.database.data_dir),
        application_name=f"smsgate-{role}",
        read_connections=1,
        on_progress=progress,
    )
    try:
        connection = await database.dedicated(role).connection()
        await migrate(connection)
        yield connection
    finally:
        await database.close()
