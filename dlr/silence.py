"""Parts whose final receipt has not come for days: they become unknown.

Owns the walk through `submission` that gives them up, one stretch of ids after the other. Must not
keep a late receipt from being believed: it still upgrades what was given up.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import asyncpg
import msgspec

from dlr.changed import messages_changed
from dlr.reasons import Reason
from dlr.status import Status
from storage import sql
from storage.ids import IdSource, id_at
from storage.pool import Connection

_SQL = sql.load("dlr")
GIVE_UP_ROWS = 2_000
STRETCHES_MAX = 10  # a turn, so that a take-over does not wait behind days of submissions
REACH = timedelta(days=35)  # where the first turn begins


class Silence:
    """The walk of this process. `after_hours` is a setting, and may change."""

    def __init__(self, after_hours: int, ids: IdSource) -> None:
        self.after_hours = after_hours
        self._ids = ids
        self._cursor: int | None = None

    async def turn(self, connection: Connection, now: datetime) -> None:
        """Go on from where the last turn came to."""
        cursor = self._cursor or id_at(now - REACH)
        for _ in range(STRETCHES_MAX):
            async with connection.transaction():
                given_up = await give_up(connection, cursor, now, after_hours=self.after_hours)
                await messages_changed(connection, given_up.changed, self._ids)
            if given_up.cursor is None:
                return
            cursor = self._cursor = given_up.cursor


class GivenUp(msgspec.Struct, frozen=True):
    """`cursor`: where to go on, None at the end. `changed`: of each part that became unknown its
    message and account.
    """

    cursor: int | None
    changed: Sequence[tuple[int, int]]


async def give_up(
    connection: asyncpg.Connection,
    cursor: int,
    now: datetime,
    *,
    after_hours: int,
) -> GivenUp:
    """Parts sent more than `after_hours` ago without a final receipt become unknown.

    Looks at GIVE_UP_ROWS parts from `cursor` (a submission id) on. The caller goes on with the
    cursor returned. A late receipt still upgrades an unknown part.
    """
    until = id_at(now - timedelta(hours=after_hours))
    record = await connection.fetchrow(
        _SQL["submission_give_up"],
        cursor,
        until,
        GIVE_UP_ROWS,
        Status.SENT,
        Status.UNKNOWN,
        Reason.UNKNOWN,
    )
    assert record is not None  # an aggregate always has one row
    changed = zip(record["messages"] or (), record["accounts"] or (), strict=True)
    return GivenUp(cursor=record["cursor"], changed=list(changed))
