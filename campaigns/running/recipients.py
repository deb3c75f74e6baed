"""Whom a chunk sends to, as they are known when it is their turn.

Owns reading them, and who is left out of a chunk. Must not write a message, nor decide whom a plan
has (planning.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg
import msgspec

from campaigns.running.chunks import Chunk, Skipped
from campaigns.running.number_forms import further_indexes
from campaigns.running.reasons import Skip
from campaigns.running.redoing import recalled
from campaigns.templates.people import Person
from storage import sql
from storage.crypto import NumberVault
from storage.pool import Connection

_SQL = sql.load("campaigns")


class Recipient(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody of a chunk as they are known now. `to_enc` None: the number is no longer theirs."""

    seq: int
    arm: int
    to_enc: bytes | None
    who: Person
    hours: Sequence[int] | None = None  # as in hour_profile


def person_of(row: asyncpg.Record) -> Person:
    """What is known of the contact of a row; nothing if it is gone."""
    return Person(row["attrs"] or {}, row["external_id"], row["source"], row["time_zone"])


async def planned_people(connection: Connection, campaign: int, count: int) -> list[Recipient]:
    """Of the first so many of a plan those who get a message, as they are known now."""
    rows = await connection.fetch(_SQL["chunk_recipients"], campaign, 0, count - 1)
    return list(map(_recipient, rows))


async def recipients_of(
    connection: Connection, chunk: Chunk
) -> tuple[list[Recipient], list[Skipped]]:
    """Whom it sends to, and whose message was canceled by itself before an edit."""
    rows = await connection.fetch(
        _SQL["chunk_recipients"], chunk.campaign, chunk.from_seq, chunk.to_seq
    )
    found = list(map(_recipient, rows))
    if chunk.redone is None:
        return found, []
    told = await recalled(connection, chunk.campaign, chunk.redone)
    left_out = [Skipped(seq, Skip.CANCELED) for seq in sorted(told.canceled)]
    return [each for each in found if each.seq in told.again], left_out


async def willing(
    connection: Connection,
    chunk: Chunk,
    recipients: list[Recipient],
    *,
    category: int,
    sender: str,
    vault: NumberVault,
) -> tuple[list[Recipient], list[Skipped]]:
    """Those who have not said no for another of their numbers, and the others.

    The accepter asks of the number that is texted.
    """
    place = chunk.campaign, chunk.from_seq, chunk.to_seq
    others: Sequence[asyncpg.Record] = ()
    if vault.several_keys:
        others = await connection.fetch(_SQL["chunk_other_numbers"], *place)
    rows = await connection.fetch(
        _SQL["chunk_said_no"], *place, category, sender, *further_indexes(vault, others)
    )
    if not rows:
        return recipients, []
    said_no = {row["seq"] for row in rows}
    return (
        [each for each in recipients if each.seq not in said_no],
        [Skipped(each.seq, Skip.OTHER_NUMBER) for each in recipients if each.seq in said_no],
    )


def _recipient(row: asyncpg.Record) -> Recipient:
    return Recipient(
        seq=row["seq"],
        arm=row["arm"],
        to_enc=row["to_enc"],
        who=person_of(row),
        hours=row["hours"],
    )
