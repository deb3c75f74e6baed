"""The delivery of a day's messages by connector, once most of their receipts are there.

Owns the reading for metrics, as last read. Must not say what is bad.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from dlr.rates import Rate, rate_of
from dlr.rollups.columns import quarter_of
from storage import sql
from storage.pool import Connection

_SQL = sql.load("dlr")
YOUNGEST = timedelta(hours=1)  # most receipts are there by then
OLDEST = timedelta(hours=25)


class Cohorts:
    """`rates`: delivered of sent, by the connector that decided; empty until it was read."""

    def __init__(self) -> None:
        self.rates: Mapping[int, Rate] = {}

    async def read(self, connection: Connection, now: datetime) -> None:
        """Read what was accepted from OLDEST to YOUNGEST ago, in whole quarters."""
        records = await connection.fetch(
            _SQL["rolled_cohorts"], quarter_of(now - OLDEST), quarter_of(now - YOUNGEST)
        )
        self.rates = {
            record["connector"]: rate_of(record["delivered"], record["sent"]) for record in records
        }
