"""Receipts that were parked because nobody knew their submit_sm, looked at again.

Owns the step that brings them together: a receipt that one session parked while another committed
its submission is seen by neither. Counts what it joined, and deletes what belongs to nobody. Must
not decide what follows from a receipt: it is told who does, and tells it in the same transaction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

import asyncpg

from dlr.changed import receipts_changed
from dlr.connector_groups import ALONE, ConnectorGroups
from dlr.ledger import MATCH_DAYS, AppliedReceipt, apply_receipts, unparked
from dlr.receipt_rows import JOIN_MINUTES
from dlr.recipient_match import match_recipients
from dlr.status import Status
from storage import sql
from storage.ids import IdSource, id_at
from storage.periodic import while_full
from storage.pool import Connection

_SQL = sql.load("dlr")
SWEEP_ROWS_MAX = 500
SWEEPS_MAX = 40  # a turn: two gateways on one carrier may park most of what comes
PURGE_ROWS_MAX = 10_000
SWEEP_AGE = timedelta(seconds=5)
MATCH_AGE = timedelta(seconds=60)  # a receipt may outrun its own submit's result

FollowUp = Callable[[Connection, Sequence[AppliedReceipt]], Awaitable[object]]


class ParkedReceipts:
    """Those of all gateways on this database. `joined`, `final` and `disbelieved` are counted since
    start; the keys of `final` are (connector, status).
    """

    def __init__(
        self, ids: IdSource, *, follow_up: FollowUp, groups: ConnectorGroups = ALONE
    ) -> None:
        self._ids = ids
        self._follow_up = follow_up
        self.groups = groups
        self._match_cursor = 0
        self.joined = 0
        self.final: dict[tuple[int, int], int] = {}
        self.disbelieved: Counter[int] = Counter()  # dates, by connector

    async def turn(self, connection: Connection, now: datetime) -> None:
        """Join by id, then by recipient, and purge; a bounded number of each."""
        sweep = partial(self._sweep, connection, now - SWEEP_AGE)
        await while_full(sweep, SWEEP_ROWS_MAX, times_max=SWEEPS_MAX)
        async with connection.transaction():
            matched = await match_recipients(
                connection, self._match_cursor, now - MATCH_AGE, self._ids, groups=self.groups
            )
            await self._follow_up(connection, matched.applied)
            await receipts_changed(connection, matched.applied, self._ids)
        self._match_cursor = matched.cursor or 0
        self._count(matched.applied)
        await purge_unmatched(connection, now)

    async def _sweep(self, connection: Connection, older_than: datetime) -> int:
        """One transaction of them; how many."""
        async with connection.transaction():
            joined = await sweep_unmatched(connection, older_than, self._ids, groups=self.groups)
            await self._follow_up(connection, joined)
            await receipts_changed(connection, joined, self._ids)
        self._count(joined)
        return len(joined)

    def _count(self, joined: Sequence[AppliedReceipt]) -> None:
        self.joined += len(joined)
        self.disbelieved.update(each.row.connector for each in joined if not each.date_believed)
        for receipt in joined:
            if receipt.changed and receipt.status > Status.SENT:
                key = (receipt.row.connector, receipt.row.status)
                self.final[key] = self.final.get(key, 0) + 1 + receipt.others


async def sweep_unmatched(
    connection: asyncpg.Connection,
    older_than: datetime,
    ids: IdSource,
    *,
    groups: ConnectorGroups = ALONE,
) -> list[AppliedReceipt]:
    """Apply parked receipts whose submission is there by now. Returns them, at most SWEEP_ROWS_MAX.

    A receipt parked by one session, while another commits its submission, is seen by neither. This
    finds it. Looks at receipts parked before `older_than`, by at most JOIN_MINUTES.
    """
    found = await connection.fetch(
        _SQL["unmatched_sweep"],
        id_at(older_than - timedelta(minutes=JOIN_MINUTES)),
        id_at(older_than),
        id_at(older_than - timedelta(days=MATCH_DAYS)),
        SWEEP_ROWS_MAX,
        *groups.pairs(),
        Status.UNKNOWN,
    )
    return await apply_receipts(
        connection, [unparked(record) for record in found], ids, now=older_than, groups=groups
    )


async def purge_unmatched(connection: asyncpg.Connection, now: datetime) -> int:
    """Delete parked receipts older than MATCH_DAYS. Returns how many, at most PURGE_ROWS_MAX."""
    before = id_at(now - timedelta(days=MATCH_DAYS))
    answer = await connection.execute(_SQL["unmatched_purge"], before, PURGE_ROWS_MAX)
    return int(answer.rsplit(" ", 1)[1])
