"""`smsgate audit verify|list`: the look through the audit chain, and its rows.

Owns what is printed and the exit code: 1 where the chain is not whole. Must not change anything.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from gateway.commands import CommandFailed
from gateway.commands.setting_up import (
    configuration,
    existing_database,
    existing_vault,
    one_line,
)
from gateway.config import Config
from storage.audit_anchor import KEY_BYTES, KEY_PURPOSE, Anchor, AnchorUnreadable, read_anchors
from storage.audit_chain import moment
from storage.audit_check import Fault, Verdict, verify
from storage.audit_reading import AuditFilter, AuditView, listed
from storage.ids import format_id
from storage.pool import Connection

_WORDS = {
    "missing": "no row has this place",
    "changed": "the row, or the one before it, is not as it was written",
    "uncommitted": "its subject or reason is not the one that was written",
    "cut": "the chain begins behind this place, and no row says so",
    "outside": "the row stands before the beginning of the chain",
    "end": "the chain does not end where its head says",
    "anchor": "the row of an anchor is gone, or another stands in its place",
    "anchor_unproved": "the anchor was not signed with our key",
}


def run(arguments: argparse.Namespace) -> int:
    """Neither needs a running gateway."""
    config = configuration(arguments)
    with one_line():
        if arguments.action == "list":
            return asyncio.run(_list(config, arguments))
        return asyncio.run(_verify(config, arguments))


async def _verify(config: Config, arguments: argparse.Namespace) -> int:
    anchors: list[Anchor] = []
    async with existing_database(config, "audit") as connection:
        if arguments.anchors is not None:
            _, keys = await existing_vault(connection, config)
            with _lines(arguments.anchors) as lines:
                anchors = read_anchors(keys.derive(KEY_PURPOSE, KEY_BYTES), lines)
        verdict = await verify(connection, anchors)
    if arguments.json:
        print(json.dumps({"whole": verdict.whole, **msgspec.to_builtins(verdict)}))
    else:
        print("\n".join(_report(verdict)))
    return 0 if verdict.whole else 1


def _report(verdict: Verdict) -> Iterator[str]:
    for fault in verdict.faults:
        yield f"{_place(fault)}: {_WORDS[fault.kind]}"
    more = verdict.faults_total - len(verdict.faults)
    if more:
        yield f"and {more} more"
    erased = f", {verdict.erased} erased" if verdict.erased else ""
    against = f", against {verdict.anchors} anchors" if verdict.anchors else ""
    state = "whole" if verdict.whole else "NOT WHOLE"
    yield f"{state}: {verdict.rows} rows{erased}, {verdict.first} to {verdict.last}{against}"
    yield f"ends with {verdict.hash}"
    cut = verdict.cut
    if cut is not None:
        yield f"1 to {cut.last} are gone, from before {cut.until}, as row {cut.said_by} says"
    if verdict.anchors_cut:
        yield f"{verdict.anchors_cut} anchors are about what is gone, and prove nothing of it"
    if verdict.unlinked:
        yield f"{verdict.unlinked} rows of the release before are not in the chain yet"


def _place(fault: Fault) -> str:
    if fault.until is not None and fault.until > fault.seq:
        return f"{fault.seq} to {fault.until}"
    if fault.id is None:
        return str(fault.seq)
    return f"{fault.seq} ({format_id('aud', fault.id)}, {moment(fault.id)})"


@contextmanager
def _lines(path: str) -> Iterator[Iterator[str]]:
    with Path(path).open(encoding="utf-8", errors="replace") as lines:
        try:
            yield iter(lines)
        except AnchorUnreadable as error:
            raise CommandFailed(f"{path}: {error}") from error


async def _list(config: Config, arguments: argparse.Namespace) -> int:
    async with existing_database(config, "audit") as connection:
        vault = None
        if arguments.number is not None:
            vault, _ = await existing_vault(connection, config)
        now = await connection.fetchval("SELECT now()")
        wanted = AuditFilter(
            action=arguments.wanted_action,
            actor=arguments.actor,
            subjects=None if vault is None else vault.indexes_ever(arguments.number),
            since=_at(arguments.since, now),
            until=_at(arguments.until, now),
        )
        found = await listed(connection, None, wanted, before=None, limit=arguments.limit)
        names = await _accounts(connection)
    if not found and not arguments.json:
        print("no such rows")
    for view in found:
        name = names.get(view.account, "-")
        print(json.dumps(_json(view, name)) if arguments.json else _line(view, name))
    return 0


def _at(asked: datetime | timedelta | None, now: datetime) -> datetime | None:
    """A span counts back from now."""
    return now - asked if isinstance(asked, timedelta) else asked


async def _accounts(connection: Connection) -> dict[int, str]:
    return {
        row["id"]: row["name"] for row in await connection.fetch("SELECT id, name FROM account")
    }


def _json(view: AuditView, account: str) -> dict[str, object]:
    return {
        "id": format_id("aud", view.id),
        "seq": view.seq,
        "at": moment(view.id),
        "account": account,
        "actor": view.actor,
        "action": view.action,
        "about_a_person": view.subject,
        "reason": view.reason,
        "erased": view.erased,
        "detail": view.detail,
        "hash": None if view.hash is None else view.hash.hex(),
    }


def _line(view: AuditView, account: str) -> str:
    detail = " ".join(f"{key}={value}" for key, value in sorted(view.detail.items()))
    reason = "(erased)" if view.erased else view.reason or ""
    cells = (str(view.seq or "-"), moment(view.id), account, view.actor, view.action)
    return "  ".join(filter(None, (*cells, detail, reason)))
