"""Retention: how long each table is kept. Whole days are dropped, other rows deleted in steps.

Owns the first day that is kept of each table, and that one process at a time drops. Must not decide
how a day is dropped (storage/partitions.py).

A message goes before its results. Neither goes while it or an older message waits. So whatever is
still there has all that says what became of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import NamedTuple

import msgspec
import structlog

from storage import sql
from storage.ids import id_at, time_of
from storage.partitions import drop_partitions, oldest_day
from storage.periodic import while_full
from storage.pool import Connection

_SQL = sql.load("storage")
_log = structlog.get_logger(__name__)

DAYS_PER_TURN_MAX = 10  # of each table, so that other work does not wait for a first clearing
ROWS_PER_STEP_MAX = 1_000
STEPS_PER_TURN_MAX = 100  # of each table
OTHERS = (
    ("click", "clicks"),
    ("inbound_message", "inbound"),
    ("raw_delivery", "raw"),
    ("campaign_recipient", "messages"),
    ("webhook_event", "webhooks"),
    ("webhook_attempt", "webhooks"),
    ("contact_event", "events"),
    ("contact_event_source", "events"),
    ("import_row", "imports"),
)
OF_MESSAGES = ("message", "submission", "event", "rollup_watch")  # in this order
DAYS_UNSET, DAYS_UNSET_BEFORE = 90, 400  # of a new database, of one of an earlier release


class KeptDays(msgspec.Struct, frozen=True, kw_only=True):
    """The days after which whole days, or rows, are deleted; 0: never.

    None: DAYS_UNSET, or DAYS_UNSET_BEFORE.
    """

    messages: int | None
    clicks: int
    inbound: int | None
    raw: int
    webhooks: int
    suppressions: int
    complaints: int
    evidence: int
    rollups: int
    rollup_totals: int
    rollup_tags: int
    imports: int
    events: int
    audit: int

    def filled(self, *, as_before: bool) -> KeptDays:
        """With a number for each. `as_before`: an earlier release has made the database."""
        unset = DAYS_UNSET_BEFORE if as_before else DAYS_UNSET
        return msgspec.structs.replace(
            self,
            messages=unset if self.messages is None else self.messages,
            inbound=unset if self.inbound is None else self.inbound,
        )


class Forgets(NamedTuple):
    """What deletes rows of a table that has no days: at most $2, from before $1.

    `kept`: the field of KeptDays that says when. `by_id`: $1 is an id and not a time.
    """

    table: str
    kept: str
    statement: str
    by_id: bool = False


# What of the messages between two moments has to outlive them is stored elsewhere, before they go.
Outlive = Callable[[Connection, datetime, datetime], Awaitable[None]]
# Takes up to ROWS_PER_STEP_MAX rows of the audit from before a moment, and returns how many.
CutAudit = Callable[[Connection, datetime], Awaitable[int]]


class Retention:
    """Takes turns. A turn that is cut short is finished by the next, of any process."""

    def __init__(
        self,
        kept: KeptDays,
        wall_ms: Callable[[], int],
        *,
        forgets: Sequence[Forgets],
        outlive: Outlive | None = None,
        cut_audit: CutAudit | None = None,
    ) -> None:
        """`outlive` is told of messages before they are dropped, and again after a turn that was
        cut short.
        """
        self.kept = kept
        self._forgets = forgets
        self._cut_audit = cut_audit
        self._outlive = outlive
        self._wall_ms = wall_ms
        self.days_dropped = 0
        self.rows_forgotten: Counter[str] = Counter()  # by table, since start

    async def turn(self, connection: Connection) -> None:
        """Drop what is due, unless another process is at it. Must not run inside a transaction."""
        if not await connection.fetchval(_SQL["retention_try"]):
            return
        try:
            await self._drop(connection)
        finally:
            await connection.execute(_SQL["retention_done"])

    async def _drop(self, connection: Connection) -> None:
        row = await connection.fetchrow(_SQL["oldest_waiting"])
        assert row is not None
        kept = self.kept.filled(as_before=row["keeps_as_before"])
        # The earlier of two clocks: one that has jumped ahead must not cost a year of data.
        own = datetime.fromtimestamp(self._wall_ms() / 1000, UTC)
        today = min(own, row["now"]).date()
        ends = {
            name: today - timedelta(days=days)
            for name in KeptDays.__struct_fields__
            if (days := getattr(kept, name))
        }
        if "messages" in ends:
            ends["messages"] = await self._drop_messages(connection, ends["messages"], row["id"])
        for table, name in OTHERS:
            if name in ends:
                before = await _bounded(connection, table, ends[name])
                await self._drop_days(connection, table, before)
        for forgets in self._forgets:
            if forgets.kept in ends:
                await self._forget(connection, forgets, ends[forgets.kept])
        if self._cut_audit is not None and "audit" in ends:
            await self._in_steps(
                "audit", partial(self._cut_audit, connection, _midnight(ends["audit"]))
            )

    async def _drop_messages(
        self, connection: Connection, before: date, oldest_waiting: int | None
    ) -> date:
        """Returns the first day that is there now, or was not due."""
        if oldest_waiting is not None and (waits := time_of(oldest_waiting).date()) < before:
            _log.warning("retention_waits", wanted=str(before), message_waits_of=str(waits))
            before = waits
        before = await _bounded(connection, OF_MESSAGES[0], before)
        oldest = await oldest_day(connection, OF_MESSAGES[0])
        if self._outlive is not None and oldest is not None and oldest < before:
            before = oldest + timedelta(days=1)  # a day a turn: it takes seconds
            await self._outlive(connection, _midnight(oldest), _midnight(before))
        for table in OF_MESSAGES:
            await self._drop_days(connection, table, before)
        return before

    async def _forget(self, connection: Connection, forgets: Forgets, first_kept: date) -> None:
        moment = _midnight(first_kept)
        before = id_at(moment) if forgets.by_id else moment

        async def step() -> int:
            done = await connection.execute(forgets.statement, before, ROWS_PER_STEP_MAX)
            return int(done.split()[-1])

        await self._in_steps(forgets.table, step)

    async def _in_steps(self, table: str, step: Callable[[], Awaitable[int]]) -> None:
        async def counted() -> int:
            gone = await step()
            self.rows_forgotten[table] += gone
            return gone

        await while_full(counted, ROWS_PER_STEP_MAX, times_max=STEPS_PER_TURN_MAX)

    async def _drop_days(self, connection: Connection, table: str, before: date) -> None:
        dropped = await drop_partitions(connection, table, before)
        if dropped:
            self.days_dropped += len(dropped)
            _log.info("days_dropped", table=table, first=dropped[0], last=dropped[-1])


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


async def _bounded(connection: Connection, table: str, before: date) -> date:
    """`before`, or fewer days: as many as one turn drops."""
    oldest = await oldest_day(connection, table)
    return before if oldest is None else min(before, oldest + timedelta(days=DAYS_PER_TURN_MAX))
