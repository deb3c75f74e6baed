"""Deliveries that a clock put off which was set back since: they are due.

Owns how far ahead a delivery may lie: no further than the longest wait of its kind. Runs inside the
caller's transaction. Must not ask which clock was right.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from dlr.webhooks.deliveries import STEP_ROWS_MAX
from dlr.webhooks.schedule import ATTEMPTS_MAX, longest_replay_seconds, longest_seconds
from storage import sql
from storage.pool import Connection

_SQL = sql.load("dlr")


async def due_after_all(connection: Connection, now: datetime) -> int:
    """What lies further ahead of `now` than it may is due; how many rows, at most STEP_ROWS_MAX."""
    longest = [timedelta(seconds=longest_seconds(made)) for made in range(1, ATTEMPTS_MAX)]
    replay = timedelta(seconds=longest_replay_seconds())
    answer = await connection.execute(
        _SQL["webhook_due_after_all"], now, longest, replay, STEP_ROWS_MAX
    )
    return int(answer.split()[-1])
