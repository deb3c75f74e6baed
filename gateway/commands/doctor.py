"""`smsgate doctor`: Python, configuration, database and a running gateway, one line each.

Owns the findings. Must not change anything.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import msgspec

from dlr.webhooks.endpoints import Receiver
from gateway.commands import CommandFailed, clocks
from gateway.commands.asking import KEY_VARIABLE
from gateway.commands.readiness import readiness
from gateway.commands.setting_up import (
    OPERATOR_ERRORS,
    configuration,
    configuration_file,
    database_place,
    refuse_old_schema,
    refuse_without_database,
)
from gateway.config import Config
from storage.cluster import target_of
from storage.data_dir import existing_cluster
from storage.ids import format_id
from storage.pool import EMBEDDED, close_connection, connect


class Finding(msgspec.Struct):
    """One thing that was looked at."""

    what: str
    ok: bool
    detail: str


def run(arguments: argparse.Namespace) -> int:
    """Exit code 1 if anything is not as it should be."""
    try:
        config = configuration(arguments)
    except CommandFailed as error:
        findings = [Finding("configuration", False, str(error))]
    else:
        findings = [
            Finding("configuration", True, _described(config, configuration_file(arguments))),
            *asyncio.run(_examine(config)),
        ]
    findings.insert(0, _python())
    if arguments.json:
        print(json.dumps([msgspec.to_builtins(finding) for finding in findings]))
    else:
        for finding in findings:
            print(f"{'ok ' if finding.ok else 'BAD'} {finding.what}: {finding.detail}")
    return 0 if all(finding.ok for finding in findings) else 1


def _described(config: Config, file: Path | None) -> str:
    return f"{file or 'no file, the defaults'}, {len(config.connectors)} connectors"


def _python() -> Finding:
    """A plain build is no fault, but the same messages cost it a sixth more processor time."""
    detail = platform.python_version()
    # Distributions build theirs optimised, though not all of them by this option.
    built = str(sysconfig.get_config_var("CONFIG_ARGS"))
    if "--enable-optimizations" not in built and sys.base_prefix != "/usr":
        detail += ", built without --enable-optimizations: slower than it could be"
    return Finding("python", True, detail)


async def _examine(config: Config) -> list[Finding]:
    return [*await _database(config), *await _gateway(config)]


async def _database(config: Config) -> list[Finding]:
    """Reads only: starts, makes and migrates nothing."""
    place = database_place(config)
    url = str(config.database.url)
    try:
        refuse_without_database(config)
        if url == EMBEDDED:
            cluster = existing_cluster(Path(config.database.data_dir))
            target = None if cluster is None else target_of(cluster)
            if target is None:
                return [Finding("database", True, f"{place}, not running")]
            url = target.url
        connection = await connect(url, application_name="smsgate-doctor")
        try:
            await refuse_old_schema(connection, config)
            waiting = await connection.fetchval("SELECT count(*) FROM outbox")
            far = await clocks.of_database(connection)
            receivers = await clocks.receivers_of(connection)
        finally:
            await close_connection(connection)
    except (CommandFailed, *OPERATOR_ERRORS) as error:
        return [Finding("database", False, str(error))]
    version = connection.get_server_version()
    detail = f"{place}, PostgreSQL {version.major}.{version.minor}, {waiting} messages waiting"
    return [Finding("database", True, detail), *await _clocks(config, far, receivers)]


async def _clocks(config: Config, far: str | None, receivers: Sequence[Receiver]) -> list[Finding]:
    if far is not None:
        return [Finding("clock", False, f"this machine's is {far} of the database's")]
    found = [Finding("clock", True, "agrees with the database's")]
    try:
        found += [
            Finding(format_id("whe", number), False, f"its clock differs: ours is {far} of it")
            for number, far in await clocks.of_receivers(config, receivers)
        ]
    except OPERATOR_ERRORS as error:
        found.append(Finding("webhooks", False, str(error)))
    return found


async def _gateway(config: Config) -> list[Finding]:
    try:
        ready = await readiness(config)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        return [Finding("gateway", False, f"nothing answers at {config.http.listen}: {error}")]
    found = [
        Finding(each.name, each.ok, each.reason or ("up" if each.ok else "not ready"))
        for each in ready.components
    ]
    if not ready.detailed:
        words = f"shown to a key with the scope connectors:read in ${KEY_VARIABLE}"
        found.append(Finding("connectors", True, words))
    return found
