"""The share that is usually delivered of what a breaker is about, for one that is opened by hand.

Owns the reading of it from the rollups of a week. Must not keep a breaker from opening: where
little is known, BASELINE_DEFAULT stands in.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from dispatch.breakers.machine import BASELINE_DEFAULT
from dispatch.breakers.scopes import Scope, Target
from dlr.rollups.columns import day_of, quarter_of
from dlr.rollups.placing import CAMPAIGN, SENDER
from storage import sql
from storage.pool import Connection

_SQL = sql.load("dispatch")
DAYS: Final = 7  # that are over
SENT_MIN: Final = 200


async def usual_share(connection: Connection, target: Target, now: datetime) -> float:
    """Delivered within an hour, of what was sent in the days before. Of an operator that of its
    connector, of a batch that of its account.
    """
    today = day_of(quarter_of(now))
    named = target.scope in (Scope.SENDER, Scope.CAMPAIGN)
    row = await connection.fetchrow(
        _SQL["breaker_usual"],
        today - DAYS,
        today,
        target.connector,
        target.account,
        target.name if named else None,
        SENDER if target.scope is Scope.SENDER else CAMPAIGN,
        SENDER,
    )
    assert row is not None
    if row["sent"] < SENT_MIN:
        return BASELINE_DEFAULT
    return float(row["delivered"] / row["sent"])
