"""Anomalies as they are stored and listed.

Owns the tables `anomaly` and `anomaly_state`. Must not judge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import asyncpg
import msgspec

from dlr.anomalies.detectors import Finding
from storage import sql
from storage.pool import Connection
from storage.reading import reading

_SQL = sql.load("dlr")


class Anomaly(msgspec.Struct, frozen=True, kw_only=True):
    """One alarm. `opened`: whether a breaker opened by it."""

    id: int
    scope: str
    subject: str
    account: int | None
    about: str | None
    began_at: datetime
    finding: Finding
    opened: bool = False


class AnomalyFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for; None: every. `since`: an id."""

    detector: str | None = None
    scope: str | None = None
    subject: str | None = None
    since: int | None = None


class AnomalyList:
    """Implements the API's reader of anomalies."""

    def __init__(self, read: asyncpg.Pool[asyncpg.Record]) -> None:
        self._read = read

    async def listed(
        self, asked: AnomalyFilter, *, before: int | None, limit: int
    ) -> list[Anomaly]:
        """The latest first, behind the id `before`. Raises StorageDown."""
        async with reading(self._read) as connection:
            rows = await connection.fetch(
                _SQL["anomalies_listed"],
                before,
                asked.detector,
                asked.scope,
                asked.subject,
                asked.since,
                limit,
            )
        return [
            Anomaly(
                id=row["id"],
                scope=row["scope"],
                subject=row["subject"],
                account=None,
                about=row["about"],
                began_at=row["began_at"],
                finding=msgspec.convert(row["finding"], Finding),
                opened=row["opened"],
            )
            for row in rows
        ]


async def last_told(connection: Connection, since: int) -> Mapping[tuple[str, str], int]:
    """(scope, subject) -> the id of its last alarm, from an id on."""
    rows = await connection.fetch(_SQL["anomaly_last_told"], since)
    return {(row["scope"], row["subject"]): row["id"] for row in rows}


async def put(connection: Connection, anomalies: Sequence[Anomaly]) -> None:
    """Store these."""
    if anomalies:
        await connection.execute(
            _SQL["anomaly_put"],
            [each.id for each in anomalies],
            [each.finding.detector for each in anomalies],
            [each.scope for each in anomalies],
            [each.subject for each in anomalies],
            [each.account for each in anomalies],
            [each.about for each in anomalies],
            [each.began_at for each in anomalies],
            [msgspec.json.encode(each.finding).decode() for each in anomalies],
        )
