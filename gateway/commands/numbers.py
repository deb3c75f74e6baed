"""`smsgate numbers show`, `prune` and `proofs`: who is given up, and why.

Owns what is printed, and the term under which a command writes. Must not decide who is given up
(dlr/hygiene). Works whether or not a gateway runs. Numbers are printed masked.
"""

from __future__ import annotations

import argparse
import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime

import msgspec

from dlr.hygiene import prune, waiting
from dlr.hygiene.prune import Given
from dlr.reasons import Reason
from gateway.commands import CommandFailed, number_show
from gateway.commands.own_ids import own_ids
from gateway.commands.setting_up import (
    configuration,
    existing_database,
    existing_vault,
    one_line,
)
from gateway.config import Config
from gateway.wiring.accounts import registered
from storage import audit
from storage.audit import AuditEntry
from storage.crypto import NumberVault, mask
from storage.ids import IdSource
from storage.names import Registry
from storage.pool import Connection

OPERATOR = "operator"
UNREADABLE = "unreadable"
HEADINGS = (
    "NUMBER", "REASON", "DAYS", "CODES", "CONNECTOR", "DELIVERED", "VALIDITY", "UNTIL", "",
)  # fmt: skip
WIDTHS = (15, 20, 4, 22, 14, 10, 8, 10, 0)


class _Open(msgspec.Struct):
    """A database with all that a command needs of it."""

    connection: Connection
    vault: NumberVault
    registry: Registry
    now: datetime

    def connectors(self, numbers: tuple[int, ...]) -> str:
        """Names, one behind the other."""
        return " ".join(self.registry.connector_name(number) or "?" for number in numbers)


def run(arguments: argparse.Namespace) -> int:
    """Exit code 1 where the database or the key is missing, or a connector is unknown."""
    if arguments.action == "show":
        return number_show.run(arguments)
    config = configuration(arguments)
    step = _prune if arguments.action == "prune" else _proofs
    with one_line():
        asyncio.run(step(config, arguments))
    return 0


@asynccontextmanager
async def _opened(config: Config) -> AsyncIterator[_Open]:
    async with existing_database(config, "numbers") as connection:
        vault, _ = await existing_vault(connection, config)
        registry = await registered(connection, config)
        now = await connection.fetchval("SELECT now()")
        yield _Open(connection, vault, registry, now)


async def _prune(config: Config, arguments: argparse.Namespace) -> None:
    async with _opened(config) as opened:
        if arguments.dry_run:
            await _walk(opened, arguments, None)
            return
        async with own_ids(opened.connection) as (ids, _):
            await _walk(opened, arguments, ids)


async def _walk(opened: _Open, arguments: argparse.Namespace, ids: IdSource | None) -> None:
    """Print page by page, so that memory does not grow. Without `ids` nothing is changed."""
    place: bytes | None = b""
    totals: Counter[str] = Counter()
    standing = 0
    if not arguments.json:
        print(_row(HEADINGS))
    while place is not None:
        async with opened.connection.transaction():
            found = await prune.page(
                opened.connection, place, opened.now, vault=opened.vault, below=arguments.below
            )
            if ids is not None:
                await prune.suppress_given(opened.connection, found.given, ids.next, OPERATOR)
        for each in found.given:
            shown = _shown(opened, each)
            print(msgspec.json.encode(shown).decode() if arguments.json else _row(_cells(shown)))
            standing += each.standing
            totals[shown["reason"]] += 1
        place = found.place
    _print_totals(arguments, totals, standing)


def _print_totals(arguments: argparse.Namespace, totals: Counter[str], standing: int) -> None:
    new = totals.total() - standing
    if arguments.json:
        told = {"totals": dict(totals), "standing": standing, "new": new}
        print(msgspec.json.encode({**told, "dry_run": arguments.dry_run}).decode())
        return
    by_reason = ", ".join(f"{number} {reason}" for reason, number in totals.most_common())
    verb = "would be suppressed" if arguments.dry_run else "are suppressed now"
    what = f": {by_reason}" if by_reason else ""
    print(f"{totals.total()} numbers{what}; {standing} are suppressed already, {new} {verb}")


def _shown(opened: _Open, given: Given) -> dict[str, str]:
    number = opened.vault.open_or_none(given.to_enc)
    return {
        "number": UNREADABLE if number is None else mask(number),
        "reason": Reason(given.reason).label,
        "days": str(given.days),
        "codes": " ".join(given.codes),
        "connector": opened.connectors(given.connectors),
        "delivered": str(given.delivered or ""),
        "validity": f"{given.validity:.2f}",
        "until": "for good" if given.until is None else str(given.until.date()),
        "standing": "already" if given.standing else "",
    }


def _cells(shown: Mapping[str, str]) -> tuple[str, ...]:
    *cells, standing = shown.values()
    return (*(cell or "-" for cell in cells), standing)


def _row(cells: tuple[str, ...]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True)).rstrip()


async def _proofs(config: Config, arguments: argparse.Namespace) -> None:
    async with _opened(config) as opened:
        if arguments.decision is None:
            await _list(opened, as_json=arguments.json)
            return
        if arguments.connector is None:
            raise CommandFailed("--release and --discard want --connector NAME")
        number = opened.registry.connectors.get(arguments.connector)
        if number is None:
            raise CommandFailed(f"there is no connector {arguments.connector!r}")
        async with own_ids(opened.connection) as (ids, _):
            proofs, suppressed = await _decide(opened.connection, ids, number, arguments)
    if arguments.json:
        print(msgspec.json.encode({"proofs": proofs, "suppressed": suppressed}).decode())
    else:
        verb = "released" if arguments.decision == "release" else "discarded"
        print(f"{proofs} proofs {verb}, {suppressed} numbers suppressed")


async def _list(opened: _Open, *, as_json: bool) -> None:
    found = await waiting.waiting(opened.connection)
    rows = [
        {
            "connector": opened.connectors((each.connector,)),
            "proofs": each.proofs,
            "since": each.since.isoformat(),
        }
        for each in found
    ]
    if as_json:
        print(msgspec.json.encode(rows).decode())
        return
    for row in rows:
        print(f"{row['connector']}: {row['proofs']} proofs wait since {row['since']}")
    if not rows:
        print("no proofs wait")


async def _decide(
    connection: Connection, ids: IdSource, connector: int, arguments: argparse.Namespace
) -> tuple[int, int]:
    """A bounded number a transaction, each with its audit row, until none is left."""
    totals = [0, 0]
    while True:
        async with connection.transaction():
            if arguments.decision == "release":
                proofs, suppressed = await waiting.release(connection, connector)
            else:
                proofs, suppressed = await waiting.discard(connection, connector), 0
            if not proofs:
                break
            detail = {"connector": arguments.connector, "proofs": proofs, "suppressed": suppressed}
            action = f"numbers.{arguments.decision}"
            entry = AuditEntry(ids.next(), 0, OPERATOR, action, None, detail)
            await audit.append(connection, [entry])
        totals[0] += proofs
        totals[1] += suppressed
    return totals[0], totals[1]
