"""`smsgate persons export|erase NUMBER`: all of one person, handed out or erased.

Owns what is printed, and the term under which a command writes. Must not print anything of a person
but an export. Works whether or not a gateway runs: an erasure is carried to its end here, and
gateways may carry it, too.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec

from gateway.commands import CommandFailed
from gateway.commands.own_ids import own_ids
from gateway.commands.setting_up import (
    configuration,
    existing_keys,
    one_line,
    opened,
    progress,
    refuse_old_schema,
    refuse_without_database,
)
from gateway.config import Config
from gateway.wiring.persons import steps
from messages.person_steps import waiting
from recipients.erasing import Erasing
from recipients.numbers.plan import NumberPlan
from recipients.persons import Asked, Erasure, Persons, PersonWaits
from storage.audit import REASON_CHARACTERS_MAX
from storage.crypto import NumberVault, check_fingerprint
from storage.faults import Overloaded, StorageDown
from storage.ids import IdSource, format_id
from storage.persons import PersonStep
from storage.pool import Connection, Database
from web.edge.keys import OPERATOR

PAUSE_SECONDS = 1.0  # between two looks at something that an erasure waits for


class _Opened(msgspec.Struct):
    """A database with the term of this command."""

    database: Database
    connection: Connection
    vault: NumberVault
    ids: IdSource
    steps: Sequence[PersonStep]
    persons: Persons


def run(arguments: argparse.Namespace) -> int:
    """An export goes to standard output; everything that is said about it to standard error."""
    config = configuration(arguments)
    fault = NumberPlan().fault(arguments.number)
    if fault is not None:
        raise CommandFailed(f"the number {fault}")
    reason = arguments.reason
    if not 1 <= len(reason) <= REASON_CHARACTERS_MAX or not reason.isprintable():
        raise CommandFailed(f"a reason is 1 to {REASON_CHARACTERS_MAX} printable characters")
    work = {"export": _export, "erase": _erase}[arguments.action]
    try:
        with one_line():
            return asyncio.run(work(config, arguments))
    except (StorageDown, Overloaded) as error:
        raise CommandFailed(str(error)) from error


async def _export(config: Config, arguments: argparse.Namespace) -> int:
    async with _opened(config) as opened:
        asked = await _asked(opened.connection, arguments)
        async for line in opened.persons.export(asked):
            sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
    return 0


async def _erase(config: Config, arguments: argparse.Namespace) -> int:
    async with _opened(config) as opened:
        asked = await _asked(opened.connection, arguments)
        try:
            erasure = await opened.persons.erase(asked)
        except PersonWaits as error:
            first = format_id("msg", error.first)
            raise CommandFailed(
                f"{error.messages} messages to this person have no end yet, the first is {first}: "
                "cancel or resolve them, or wait"
            ) from None
        progress(f"erasure {format_id('era', erasure.id)}")
        done = await _carry(opened, erasure)
    if arguments.json:
        counts = {"id": format_id("era", done.id), "rows": done.rows}
        print(msgspec.json.encode(counts).decode())
    else:
        for table, rows in sorted(done.rows.items()):
            print(f"{table}: {rows}")
        print(f"erased, {sum(done.rows.values())} rows")
    return 0


async def _carry(opened: _Opened, erasure: Erasure) -> Erasure:
    """Until it is done, by whomever."""
    erasing = Erasing(opened.vault, opened.ids, opened.steps, waiting)
    told = ""
    while True:
        batches = await erasing.turn(opened.connection)
        found = await opened.persons.erasure(None, erasure.id)
        assert found is not None  # nobody deletes one
        if found.finished_at is not None:
            return found
        if found.table != told:
            told = found.table
            progress(f"{told}{' (waits for what is on its way)' if found.waits else ''}")
        if found.waits or not batches:
            await asyncio.sleep(PAUSE_SECONDS)


async def _asked(connection: Connection, arguments: argparse.Namespace) -> Asked:
    """For one account, or without one for all. Raises CommandFailed for an unknown one."""
    account = None
    if arguments.account is not None:
        account = await connection.fetchval(
            "SELECT id FROM account WHERE name = $1", arguments.account
        )
        if account is None:
            raise CommandFailed(f"there is no account {arguments.account!r}")
    return Asked(account, OPERATOR, arguments.number, arguments.reason)


@asynccontextmanager
async def _opened(config: Config) -> AsyncIterator[_Opened]:
    refuse_without_database(config)
    vault = NumberVault(existing_keys(config))
    database = await opened(config, "persons")
    try:
        connection = await database.dedicated("persons").connection()
        await refuse_old_schema(connection, config)
        await check_fingerprint(connection, vault)
        async with own_ids(connection) as (ids, _):
            found = steps(vault)
            persons = Persons(
                database.read,
                database.dedicated("asked"),
                vault=vault,
                ids=ids,
                steps=found,
                waits=waiting,
            )
            yield _Opened(database, connection, vault, ids, found, persons)
    finally:
        await database.close()
