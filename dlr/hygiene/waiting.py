"""Proofs that wait for a person, since there were too many of them in one hour.

Owns what a person may do about them. Must not decide when they wait (`dlr/hygiene/guard.py`).

Released, they suppress as they would have. Discarded, they are undone and never suppress.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from dlr.hygiene import evidence
from dlr.hygiene.entries import suppression_of
from dlr.hygiene.evidence import CONFIRMED, UNDONE
from storage import sql, suppression
from storage.pool import Connection

_SQL = sql.load("dlr")


class Waiting(msgspec.Struct, frozen=True):
    """Of one connector: how many proofs wait, and since when."""

    connector: int
    proofs: int
    since: datetime


async def waiting(connection: Connection) -> list[Waiting]:
    """What waits, by connector."""
    return [Waiting(*row) for row in await connection.fetch(_SQL["evidence_waiting"])]


async def release(connection: Connection, connector: int) -> tuple[int, int]:
    """Believe proofs that wait, a bounded number in the caller's transaction.

    Returns (how many, how many numbers are newly suppressed). Who was delivered to meanwhile lives.
    """
    found = await evidence.settle(connection, connector, CONFIRMED)
    if not found:
        return 0, 0
    delivered = await evidence.deliveries(
        connection,
        sorted({each.to_idx for each in found}),
        since=min(each.day for each in found),
    )
    dead = [
        each
        for each in found
        if all(moment <= each.at for moment in delivered.get(each.to_idx, {}).values())
    ]
    return len(found), await suppression.add(connection, [suppression_of(each) for each in dead])


async def discard(connection: Connection, connector: int) -> int:
    """Undo proofs that wait, a bounded number. Returns how many."""
    return len(await evidence.settle(connection, connector, UNDONE))
