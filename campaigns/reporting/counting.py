"""The cells of a campaign, from its messages while they are stored, and from sums.

Owns these reads. Must not write (keeping.py does), nor form groups or rates.

The newest batches are counted from their messages, so that a report of a small campaign is as of
now. Up to SMALL_PEOPLE_MAX people always are, and up to LIVE_PEOPLE_MAX where the sums are not
FRESH. What is older comes from sums. The rollups of deliveries know no
version of a campaign, and no clicks, replies or opt-outs. So both are counted here, together.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec

from campaigns.reporting.cells import COUNTS, CellKey, Cells, Sums, lasting
from campaigns.reporting.registry import OPT_OUT_HOURS, RECALL_DAYS, RECALL_EVENT
from shortlinks.classify import ClickClass
from shortlinks.conversions import LANDING_EVENT
from storage import sql
from storage.ids import EPOCH_UNIX_MS
from storage.pool import Connection

_SQL = sql.load("campaigns")
LIVE_PEOPLE_MAX = 50_000
SMALL_PEOPLE_MAX = 10_000
FRESH = timedelta(seconds=90)  # longer than the keeper of sums takes between two counts at first
DECAY_HOURS = 72
_EPOCH_SECONDS = EPOCH_UNIX_MS // 1000


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """A batch of a campaign. `counted_at` None: no sums of it are stored. `people`: it is for."""

    batch: int
    counted_at: datetime | None
    closed: bool
    linked: bool
    until_id: int
    people: int
    compliance: dict[str, object] | None


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """All cells of a campaign. `as_of`: nothing behind it is counted. `last`: when the last message
    went, to the hour; None: none did.
    """

    cells: Cells
    batches: Sequence[Batch]
    live: Sequence[Batch]
    as_of: datetime
    last: datetime | None
    linked: bool


async def batches_of(connection: Connection, campaign: int) -> list[Batch]:
    """Those of a campaign, the newest first."""
    rows = await connection.fetch(_SQL["stat_batches"], campaign)
    return [Batch(**dict(row)) for row in rows]


async def told(
    connection: Connection, campaign: int, account: int, *, zone: str, now: datetime
) -> Told:
    """Takes several statements, so the connection is in a transaction that sees one state."""
    batches = await batches_of(connection, campaign)
    live, kept = _parted(batches, now)
    counted = await count(connection, campaign, account, live, zone=zone)
    there = {key.batch for key in counted}
    gone = [each for each in live if each.batch not in there and each.counted_at is not None]
    before = await stored(connection, campaign, [each.batch for each in batches])
    live_ids = {each.batch for each in live} - {each.batch for each in gone}
    cells = lasting(counted, {key: sums for key, sums in before.items() if key.batch in live_ids})
    cells |= {key: sums for key, sums in before.items() if key.batch not in live_ids}
    linked = any(each.linked for each in batches) or bool(await links_of(connection, live))
    moments = [each.counted_at for each in (*kept, *gone) if each.counted_at and not each.closed]
    return Told(
        cells=cells,
        batches=batches,
        live=[each for each in live if each.batch in there],
        as_of=min([now, *moments]),
        last=_last(cells),
        linked=linked,
    )


async def count(
    connection: Connection,
    campaign: int,
    account: int,
    batches: Sequence[Batch],
    *,
    zone: str,
    seconds_max: float | None = None,
) -> Cells:
    """From the messages of these batches; nothing of one whose messages are gone.

    `seconds_max`: of a statement; None: the connection's own.
    """
    if not batches:
        return {}
    ids = [each.batch for each in batches]
    since, until = min(ids), max(each.until_id for each in batches)
    rows = await connection.fetch(
        _SQL["stat_count"], campaign, ids, since, until, account, ClickClass.HUMAN, LANDING_EVENT,
        zone, _EPOCH_SECONDS, OPT_OUT_HOURS, RECALL_EVENT, RECALL_DAYS, timeout=seconds_max,
    )  # fmt: skip
    cells: Cells = {}
    for row in rows:
        sums = cells[_key(row)] = Sums()
        sums.counts.update({name: row[name] for name in COUNTS if row[name]})
    clicks = await connection.fetch(
        _SQL["stat_clicks"], campaign, ids, since, until, ClickClass.HUMAN, _EPOCH_SECONDS,
        DECAY_HOURS, timeout=seconds_max,
    )  # fmt: skip
    for row in clicks:
        found = cells.get(_key(row))
        if found is not None:
            found.clicks[row["since"]] += row["clicks"]
    return cells


async def stored(connection: Connection, campaign: int, batches: Sequence[int]) -> Cells:
    """The sums that are stored of these batches."""
    rows = await connection.fetch(_SQL["stat_cells"], campaign, batches)
    cells: Cells = {}
    for row in rows:
        sums = cells[_key(row)] = Sums()
        sums.counts.update(row["counts"])
        sums.clicks.update({int(hour): clicks for hour, clicks in row["clicks"].items()})
    return cells


async def links_of(connection: Connection, batches: Sequence[Batch]) -> set[int]:
    """Those of these batches whose texts have links of the recipient's own."""
    rows = await connection.fetch(_SQL["stat_linked"], [each.batch for each in batches])
    return {row["batch"] for row in rows}


def _parted(batches: Sequence[Batch], now: datetime) -> tuple[list[Batch], list[Batch]]:
    """Those to be counted from messages, and those whose sums are taken."""
    live: list[Batch] = []
    kept: list[Batch] = []
    people = 0
    for each in batches:
        counted_at = each.counted_at
        room = SMALL_PEOPLE_MAX
        if counted_at is not None and now - counted_at >= FRESH:
            room = LIVE_PEOPLE_MAX
        if not each.closed and (counted_at is None or people + each.people <= room):
            live.append(each)
            people += each.people
        else:
            kept.append(each)
    return live, kept


def _key(row: asyncpg.Record) -> CellKey:
    return CellKey(*(row[name] for name in CellKey._fields))


def _last(cells: Cells) -> datetime | None:
    hours = [key.hour for key, sums in cells.items() if sums.counts["sent"]]
    if not hours:
        return None
    return datetime.fromtimestamp(max(hours) * 3600, UTC) + timedelta(hours=1)
