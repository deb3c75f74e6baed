"""An audit of opt-outs: was anybody texted after opting out?

Owns the look at what was really sent. Must not share code with the rules that should have stopped
it, and stops nothing itself.

It counts marketing messages whose first part was written after the recipient's opt-out. Each
process looks at what all of them sent since it started, so their counts must not be added up.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from dlr.reasons import Reason
from recipients.scopes import WHOLE
from storage import sql
from storage.categories import Category
from storage.ids import id_at
from storage.pool import Connection
from storage.suppression import Covers

_SQL = sql.load("dispatch")
STRETCH = timedelta(seconds=60)
STRETCHES_PER_LOOK_MAX = 10

_log = structlog.get_logger(__name__)


class ViolationAudit:
    """Goes through the submissions once, in stretches, some time behind the present."""

    def __init__(self, started_at: datetime, lag: timedelta, covers: Covers = WHOLE.covers) -> None:
        """`lag`: how long it may take to store the result of a submit_sm. `covers`: whether an
        opt-out of some senders is about a message from one.
        """
        self._lag = lag
        self.covers = covers
        self._audited = started_at - lag
        self.violations = 0

    async def look(self, connection: Connection, now: datetime) -> None:
        """Look at the next stretches that are complete."""
        for _ in range(STRETCHES_PER_LOOK_MAX):
            until = min(self._audited + STRETCH, now - self._lag)
            if until <= self._audited:
                return
            rows = await connection.fetch(
                _SQL["opt_out_violations"],
                id_at(self._audited),
                id_at(until),
                int(Category.MARKETING),
                int(Reason.OPTED_OUT),
            )
            self._audited = until
            found = sum(
                row["messages"]
                for row in rows
                if self.covers(row["account"], row["senders"], row["sender"])
            )
            if found:
                self.violations += found
                _log.error("opt_out_violated", messages=found, until=until.isoformat())
