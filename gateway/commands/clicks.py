"""`smsgate clicks reclassify`: clicks of the past under today's rules.

Owns what is printed, and the order of days. Must not know a rule. Works whether or not a gateway
runs. Stopped anywhere, it goes on with the first day that is not done.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import msgspec

from campaigns.events import naming
from dlr.webhooks.changes import tell_of_messages
from gateway.commands import CommandFailed
from gateway.commands.own_ids import own_ids
from gateway.commands.setting_up import configuration, existing_database, one_line
from gateway.config import Config
from gateway.wiring.webhooks import CLICKED, click_revisions
from shortlinks.classify import RULES
from shortlinks.reclassify import (
    Changed,
    Note,
    Reviewed,
    Reviewer,
    ReviewRunsError,
    Told,
)
from storage import audit
from storage.audit import AuditEntry
from storage.ids import IdSource
from storage.pool import Connection

OPERATOR = "operator"
ONE_DAY = timedelta(days=1)


def run(arguments: argparse.Namespace) -> int:
    """A line a day, as it is done. Exit code 1 while another process does the same."""
    config = configuration(arguments)
    try:
        with one_line():
            asyncio.run(_reclassify(config, arguments))
    except ReviewRunsError as error:
        raise CommandFailed(str(error)) from error
    return 0


async def _reclassify(config: Config, arguments: argparse.Namespace) -> None:
    async with existing_database(config, "clicks") as connection, own_ids(connection) as (ids, _):
        now = await connection.fetchval("SELECT now()")
        since, until = _day(arguments.since, now), now.date() + ONE_DAY
        if arguments.until is not None:
            until = min(until, _day(arguments.until, now))
        reviewer = Reviewer(_teller(ids) if arguments.tell else None, people=naming.clicks)
        changed = clicks = 0
        for day in await reviewer.days(connection, since, until, again=arguments.again):
            found = await reviewer.day(connection, day, note=_note(ids), dry_run=arguments.dry_run)
            clicks, changed = clicks + found.clicks, changed + found.changed
            if found.clicks:
                print(_line(found, as_json=arguments.json), flush=True)
        verb = "would change" if arguments.dry_run else "changed"
        if not arguments.json:
            print(f"{clicks} clicks looked at, {changed} {verb}; rules {RULES}")


def _day(asked: datetime | timedelta, now: datetime) -> date:
    moment = now - asked if isinstance(asked, timedelta) else asked
    return moment.astimezone(UTC).date()


def _note(ids: IdSource) -> Note:
    async def note(connection: Connection, found: Reviewed) -> None:
        if found.changed:
            counts = {
                "day": found.day.isoformat(),
                "rules": RULES,
                "looked_at": found.clicks,
                "changed": found.changed,
            }
            entry = AuditEntry(ids.next(), 0, OPERATOR, "clicks.reclassify", None, counts)
            await audit.append(connection, [entry])

    return note


def _teller(ids: IdSource) -> Told:
    async def told(connection: Connection, changed: Sequence[Changed]) -> None:
        await tell_of_messages(connection, CLICKED, click_revisions(changed), ids)

    return told


def _line(found: Reviewed, *, as_json: bool) -> str:
    moved = [
        {"before": before.label, "after": after.label, "clicks": count}
        for (before, after), count in sorted(found.moved.items())
    ]
    if as_json:
        shown = {
            "day": found.day,
            "clicks": found.clicks,
            "changed": found.changed,
            "moved": moved,
        }
        return msgspec.json.encode(shown).decode()
    moves = ", ".join(f"{each['clicks']} {each['before']} to {each['after']}" for each in moved)
    return f"{found.day}: {found.clicks} clicks, {found.changed} changed{moves and ': '}{moves}"
