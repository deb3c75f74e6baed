"""`smsgate doctor`: this machine, configuration, database, carriers and a running gateway.

Owns the order of the findings, each a line with what to do about it. Must not change anything.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import sysconfig
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import aiohttp
import msgspec

from dlr.webhooks.endpoints import Receiver
from gateway.commands import CommandFailed, clocks
from gateway.commands.advice import advice
from gateway.commands.asking import KEY_VARIABLE, text
from gateway.commands.carriers import carriers
from gateway.commands.certificate import certificate
from gateway.commands.findings import Finding, lines_of
from gateway.commands.machine import machine
from gateway.commands.readiness import Ready, readiness
from gateway.commands.scrape import Scrape
from gateway.commands.setting_up import (
    OPERATOR_ERRORS,
    configuration,
    configuration_file,
    database_place,
    existing_vault,
    refuse_old_schema,
    refuse_without_database,
)
from gateway.commands.vital_signs import vital_signs
from gateway.config import Config
from storage import sql
from storage.cluster import target_of
from storage.data_dir import existing_cluster
from storage.ids import format_id
from storage.keys import FILE_NAME, VARIABLE
from storage.pool import EMBEDDED, Connection, close_connection, connect
from web.health import CONNECTOR

_SQL = sql.load("gateway")
OLD_TRANSACTION_SECONDS = 300
START = "start it: `smsgate serve`, or its unit; its log says why it ended"


def run(arguments: argparse.Namespace) -> int:
    """Exit code 1 if anything is not as it should be."""
    findings = [_python()]
    try:
        config = configuration(arguments)
    except CommandFailed as error:
        remedy = "correct these; docs/configuration.md has every key"
        findings.append(Finding("configuration", False, str(error), remedy))
    else:
        described = _described(config, configuration_file(arguments))
        findings.append(Finding("configuration", True, described))
        findings += advice(config)
        findings += asyncio.run(_examine(config))
    if arguments.json:
        print(json.dumps([msgspec.to_builtins(finding) for finding in findings]))
    else:
        print("\n".join(line for finding in findings for line in lines_of(finding)))
    return 0 if all(finding.ok for finding in findings) else 1


def _described(config: Config, file: Path | None) -> str:
    return f"{file or 'no file, the defaults'}, {len(config.connectors)} connectors"


def _python() -> Finding:
    """A plain build is no fault, but the same messages cost it a sixth more processor time."""
    detail = platform.python_version()
    # Distributions build theirs optimised, though not all of them by this option.
    built = str(sysconfig.get_config_var("CONFIG_ARGS"))
    if "--enable-optimizations" not in built and sys.base_prefix != "/usr":
        remedy = "take a Python built with --enable-optimizations: this one is slower"
        return Finding("python", True, detail, remedy)
    return Finding("python", True, detail)


async def _examine(config: Config) -> list[Finding]:
    ready = await _ready(config)
    answers = isinstance(ready, Ready)
    found = list(machine(config, listening=answers))
    found += await _database(config)
    found += await carriers(config, clocks.now())
    found += certificate(config, clocks.now())
    if isinstance(ready, Finding):
        return [*found, ready]
    return [*found, *_gateway(ready), *await asyncio.to_thread(_signs, config)]


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
            return [each async for each in _of_database(connection, config, place)]
        finally:
            await close_connection(connection)
    except (CommandFailed, *OPERATOR_ERRORS) as error:
        remedy = "start it, or correct [database]; docs/runbooks.md"
        return [Finding("database", False, str(error), remedy)]


async def _of_database(
    connection: Connection, config: Config, place: str
) -> AsyncIterator[Finding]:
    await refuse_old_schema(connection, config)
    waiting = await connection.fetchval("SELECT count(*) FROM outbox")
    version = connection.get_server_version()
    server = f"PostgreSQL {version.major}.{version.minor}"
    yield Finding("database", True, f"{place}, {server}, {waiting} messages waiting")
    oldest = await connection.fetchval(_SQL["oldest_transaction"])
    if oldest is not None and oldest > OLD_TRANSACTION_SECONDS:
        remedy = "pg_stat_activity names it; pg_terminate_backend ends it"
        yield Finding("transactions", True, f"one is {oldest:.0f} s old: rows pile up", remedy)
    yield await _number_key(connection, config)
    far = await clocks.of_database(connection)
    for finding in await _clocks(config, far, await clocks.receivers_of(connection)):
        yield finding


async def _number_key(connection: Connection, config: Config) -> Finding:
    what, file = "number key", Path(config.database.data_dir) / FILE_NAME
    if VARIABLE not in os.environ and not file.exists():
        if await connection.fetchval(_SQL["has_messages"]):
            remedy = f"put the key back: {file} or ${VARIABLE}; without it numbers are lost"
            return Finding(what, False, "there is none, and there are numbers", remedy)
        return Finding(what, True, "the first start makes one")
    try:
        await existing_vault(connection, config)
    except (CommandFailed, *OPERATOR_ERRORS) as error:
        return Finding(what, False, str(error), "docs/keys.md says how keys are changed")
    return Finding(what, True, "fits the numbers that are stored")


async def _clocks(config: Config, far: str | None, receivers: Sequence[Receiver]) -> list[Finding]:
    remedy = "set the clocks by NTP"
    if far is not None:
        return [Finding("clock", False, f"this machine's is {far} of the database's", remedy)]
    found = [Finding("clock", True, "agrees with the database's")]
    try:
        found += [
            Finding(
                format_id("whe", number), False, f"its clock differs: ours is {far} of it", remedy
            )
            for number, far in await clocks.of_receivers(config, receivers)
        ]
    except OPERATOR_ERRORS as error:
        found.append(Finding("webhooks", False, str(error), "correct [webhooks]"))
    return found


async def _ready(config: Config) -> Ready | Finding:
    try:
        return await readiness(config)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        words = f"nothing answers at {config.http.listen}: {error}"
        return Finding("gateway", False, words, START)


def _gateway(ready: Ready) -> list[Finding]:
    found = [
        Finding(
            each.name,
            each.ok,
            each.reason or ("up" if each.ok else "not ready"),
            "" if each.ok else _remedy(each.name),
        )
        for each in ready.components
    ]
    if not ready.detailed:
        words = f"shown to a key with the scope connectors:read in ${KEY_VARIABLE}"
        found.append(Finding("connectors", True, words))
    return found


def _remedy(component: str) -> str:
    if component.startswith(CONNECTOR):
        name = component.removeprefix(CONNECTOR)
        return f"`smsgate connectors probe {name}` says which step fails"
    return "the log of the gateway says why; docs/runbooks.md"


def _signs(config: Config) -> list[Finding]:
    try:
        page = text(config, "/metrics", os.environ.get(KEY_VARIABLE))
        return list(vital_signs(Scrape(page, time.monotonic())))
    except (CommandFailed, ValueError) as error:
        remedy = f"a key with the scope metrics:read in ${KEY_VARIABLE}"
        return [Finding("metrics", True, str(error), remedy)]
