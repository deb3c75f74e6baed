"""What is known of numbers by their own history: evidence by day, and the score made of it.

Owns the putting together of both for numbers that are asked for. Must not decide what the score is
(dlr/hygiene/score.py), and must not show a number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from types import MappingProxyType
from typing import Literal

import asyncpg
import msgspec

from dlr.hygiene import evidence
from dlr.hygiene.proof import Kind
from dlr.hygiene.score import Score, score
from storage.crypto import NumberVault
from storage.pool import Connection

EvidenceKind = Literal["delivered", "temporary", "ambiguous", "prune"]
EvidenceState = Literal["counts", "waits", "undone", "confirmed"]

KINDS: Mapping[Kind, EvidenceKind] = MappingProxyType(
    {
        Kind.DELIVERED: "delivered",
        Kind.TEMPORARY: "temporary",
        Kind.AMBIGUOUS: "ambiguous",
        Kind.PRUNE: "prune",
    }
)
STATES: Mapping[int, EvidenceState] = MappingProxyType(
    {
        evidence.COUNTS: "counts",
        evidence.WAITS: "waits",
        evidence.UNDONE: "undone",
        evidence.CONFIRMED: "confirmed",
    }
)


class EvidenceDay(msgspec.Struct, kw_only=True, frozen=True):
    """One day's evidence of one kind. Of a delivery nothing but its day is told."""

    day: date
    kind: EvidenceKind
    state: EvidenceState
    reason: int = 0
    connector: str | None = None
    code: str | None = None


class History(msgspec.Struct, kw_only=True, frozen=True):
    """`days`: newest first. `delivered`, `failed`: on how many days, of the last 400."""

    days: Sequence[EvidenceDay]
    score: Score
    delivered: int
    failed: int
    last_delivered_at: datetime | None


async def histories(
    connection: Connection,
    vault: NumberVault,
    accounts: Sequence[int],
    numbers: Sequence[str],
    today: date,
    connector_name: Callable[[int], str | None] = str,
) -> list[History]:
    """What these accounts know of each of these numbers (E.164), in their order."""
    since = evidence.oldest_day(today)
    indexes = [vault.indexes(number) for number in numbers]
    every = sorted({index for several in indexes for index in several})
    rows = await evidence.against(connection, every, since=since, accounts=accounts)
    delivered = await evidence.deliveries(connection, every, since=since, accounts=accounts)
    by_index: dict[bytes, list[asyncpg.Record]] = {}
    for row in rows:
        by_index.setdefault(row["to_idx"], []).append(row)
    return [
        _history(
            [row for index in several for row in by_index.get(index, ())],
            {day: moment for index in several for day, moment in delivered.get(index, {}).items()},
            today,
            connector_name,
        )
        for several in indexes
    ]


def _history(
    rows: Sequence[asyncpg.Record],
    delivered: dict[date, datetime],
    today: date,
    connector_name: Callable[[int], str | None],
) -> History:
    days = [
        EvidenceDay(
            day=row["day"],
            kind=KINDS[Kind(row["kind"])],
            state=STATES[row["state"]],
            reason=row["reason"],
            connector=connector_name(row["connector"]),
            code=row["error"],
        )
        for row in rows
    ]
    days += [
        EvidenceDay(day=day, kind=KINDS[Kind.DELIVERED], state=STATES[evidence.COUNTS])
        for day in delivered
    ]
    return History(
        days=sorted(days, key=lambda each: (each.day, each.kind), reverse=True),
        score=score(evidence.days_of(rows, list(delivered)), today),
        delivered=len(delivered),
        failed=len({row["day"] for row in rows}),
        last_delivered_at=max(delivered.values(), default=None),
    )
