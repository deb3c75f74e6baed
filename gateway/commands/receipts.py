"""`smsgate receipts reread --connector NAME --since …`: kept receipts through today's parser.

Owns what is printed, and the term under which a command writes. Must not share a gateway's term: so
its ids are its own, and its sessions end with it. Works whether or not a gateway runs.
"""

from __future__ import annotations

import argparse
import asyncio
from datetime import UTC, datetime, timedelta

import msgspec

from dispatch.answers.receipt_reading import ReceiptReader
from dispatch.answers.rereading import Reread, Rereading, settled
from gateway.commands import CommandFailed
from gateway.commands.own_ids import own_ids
from gateway.commands.setting_up import (
    configuration,
    existing_database,
    existing_vault,
    one_line,
)
from gateway.config import Config
from gateway.config.connector_settings import ConnectorSettings
from gateway.config.wire import receipt_manners
from gateway.wiring.accounts import registered
from gateway.wiring.connectors import codes_of, groups_of
from storage import audit
from storage.audit import AuditEntry
from storage.crypto import NumberVault
from storage.ids import ID_MAX, IdSource, format_id, id_at
from storage.names import Registry
from storage.pool import Connection
from storage.terms import OwnerTerm

OPERATOR = "operator"
CHANGES_SHOWN_MAX = 20


class _DryRun(Exception):
    """Raised once everything was tried, to keep none of it."""


def run(arguments: argparse.Namespace) -> int:
    """Exit code 1 for a connector that is not configured."""
    config = configuration(arguments)
    settings = next((each for each in config.connectors if each.name == arguments.connector), None)
    if settings is None:
        names = ", ".join(each.name for each in config.connectors) or "none"
        raise CommandFailed(f"there is no connector {arguments.connector!r}; there are: {names}")
    with one_line():
        found = asyncio.run(_reread(config, settings, arguments))
    if arguments.json:
        print(msgspec.json.encode(_as_json(found, arguments.dry_run)).decode())
    else:
        print("\n".join(_lines(found, arguments.dry_run)))
    return 0


async def _reread(
    config: Config, settings: ConnectorSettings, arguments: argparse.Namespace
) -> Reread:
    async with existing_database(config, "receipts") as connection:
        vault, _ = await existing_vault(connection, config)
        registry = await registered(connection, config)
        async with own_ids(connection) as (ids, term):
            rereading = _rereading(config, settings, registry, vault, ids)
            span = _span(arguments, await connection.fetchval("SELECT now()"))
            await _batches(connection, term, rereading, span, keep=not arguments.dry_run)
            found = settled(rereading.found)
            if not arguments.dry_run:
                await audit.append(connection, [_entry(ids, settings.name, found)])
    return found


def _rereading(
    config: Config,
    settings: ConnectorSettings,
    registry: Registry,
    vault: NumberVault,
    ids: IdSource,
) -> Rereading:
    number = registry.connectors[settings.name]
    manners = receipt_manners(settings, settings.name)
    return Rereading(
        number,
        reader=lambda: ReceiptReader(number, manners, indexes=vault.indexes),
        vault=vault,
        ids=ids,
        groups=groups_of(config.connectors, registry.connectors),
        codes=codes_of(config.connectors, registry.connectors),
    )


async def _batches(
    connection: Connection,
    term: OwnerTerm,
    rereading: Rereading,
    span: tuple[int, int],
    *,
    keep: bool,
) -> None:
    place: int | None = span[0] - 1
    while place is not None:
        await term.renew(connection)
        try:
            async with connection.transaction():
                place = await rereading.batch(connection, (place, span[1]))
                if not keep:
                    raise _DryRun
        except _DryRun:
            continue


def _span(arguments: argparse.Namespace, now: datetime) -> tuple[int, int]:
    """Ids from `since` up to `until`. A span of time counts back from now."""

    def moment(asked: datetime | timedelta) -> datetime:
        return now - asked if isinstance(asked, timedelta) else asked.astimezone(UTC)

    until = ID_MAX if arguments.until is None else id_at(moment(arguments.until))
    return id_at(moment(arguments.since)), until


def _entry(ids: IdSource, connector: str, found: Reread) -> AuditEntry:
    counts = {"connector": connector, "looked_at": found.looked_at, "changed": found.changed}
    return AuditEntry(ids.next(), 0, OPERATOR, "receipts.reread", None, counts)


def _as_json(found: Reread, dry_run: bool) -> dict[str, object]:
    counts: dict[str, object] = msgspec.to_builtins(found)
    counts["changes"] = [
        {
            "message": format_id("msg", each.message_id),
            "part": each.part,
            "before": each.before,
            "after": each.after,
        }
        for each in found.changes
    ]
    return {"dry_run": dry_run, **counts}


def _lines(found: Reread, dry_run: bool) -> list[str]:
    verb = "would change" if dry_run else "changed"
    lines = [
        f"{found.looked_at} receipts looked at: {found.changed} {verb} something, "
        f"{found.unchanged} say what is known, {found.waiting} are of no submit that is known, "
        f"{found.unknown_word} have a word that is in no table, {found.unreadable} are unreadable, "
        f"{found.lost} are not whole"
    ]
    lines += [
        f"  {format_id('msg', each.message_id)} part {each.part}: {each.before} -> {each.after}"
        for each in found.changes[:CHANGES_SHOWN_MAX]
    ]
    if found.changed > CHANGES_SHOWN_MAX:
        lines.append(f"  and {found.changed - CHANGES_SHOWN_MAX} more")
    return lines
