"""Days counted anew from the tables, and mended where the rollups say something else.

Owns which day is counted when. A day in doubt is counted within the hour, each day when it is
CLOSED_DAYS old, and one older day a night by chance. A day is replaced in one transaction. Must not
touch a day whose messages or quarters are dropped: its rollups are all that is left of it.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta

import msgspec
import structlog

from dlr.rollups.columns import (
    QUARTERS_PER_DAY,
    day_of,
    ids_of_day,
    quarter_of,
    start_of_day,
    start_of_quarter,
)
from dlr.rollups.folding import fold, prepare
from dlr.rollups.merger import add
from dlr.rollups.placing import BOUNDS, Bounds, place
from storage import sql
from storage.ids import EPOCH_UNIX_MS, id_at
from storage.partitions import ensure_leaf, leaf_name
from storage.pool import Connection

_SQL = sql.load("dlr")
_log = structlog.get_logger(__name__)
CLOSED_DAYS = 5  # receipts are matched for four
QUARTERS_AT_ONCE = ((50_000, 96), (1_000_000, 4))  # of a day with fewer messages; else one
DOUBT_REST = timedelta(minutes=20)  # a day in doubt is counted anew so often at most
LARGE_SHARE = 0.001  # of a day's messages: more is a defect, and no race


class Recount(msgspec.Struct, frozen=True):
    """`rows` of rollups and `messages` at most that were wrong, of `counted`."""

    day: int
    rows: int
    messages: int
    counted: int

    @property
    def large(self) -> bool:
        """Whether somebody has to look at it."""
        return self.messages > LARGE_SHARE * self.counted


class Recounter:
    """One process's turns at it. The counters are since start."""

    def __init__(self, *, bounds: Bounds = BOUNDS) -> None:
        self._bounds = bounds
        self._older: date | None = None  # when we last took one by chance
        self.days = 0
        self.mended: Counter[str] = Counter()  # messages, by cause: doubt, small, large

    async def turn(self, connection: Connection, now: datetime) -> None:
        """Count one day anew, if one is due and nobody merges. Must not run in a transaction."""
        found = await self._due(connection, now)
        if found is not None:
            await self.recount(connection, found[0], now, in_doubt=found[1])
        await connection.execute(_SQL["rollup_days_final"], EPOCH_UNIX_MS)

    async def recount(
        self, connection: Connection, day: int, now: datetime, *, in_doubt: bool
    ) -> Recount | None:
        """Count this day anew; None where it cannot be done now."""
        if not await connection.fetchval(_SQL["rollup_try"]):
            return None
        try:
            recount = await self._recount(connection, day, now)
        finally:
            await connection.execute(_SQL["rollup_done"])
        if recount is None:
            return None
        self.days += 1
        if recount.rows:
            cause = "doubt" if in_doubt else "large" if recount.large else "small"
            self.mended[cause] += recount.messages
            log = _log.error if cause == "large" else _log.warning
            log(
                "rollup_mended", day=str(_date(day)), cause=cause, rows=recount.rows,
                messages=recount.messages, of=recount.counted,
            )  # fmt: skip
        return recount

    async def _recount(self, connection: Connection, day: int, now: datetime) -> Recount | None:
        await prepare(connection)
        leaves = [leaf_name(table, _date(day)) for table in ("message", "submission")]
        await ensure_leaf(connection, "rollup_watch", _date(day))
        async with connection.transaction(isolation="repeatable_read"):
            await connection.execute(_SQL["rollup_recount_lock"])
            if not await connection.fetchval(_SQL["rollup_day_whole"], leaves, day):
                await connection.execute(_SQL["rollup_day_lost"], day)
                return None
            cursor = await connection.fetchval(_SQL["rollup_cursor"])
            if cursor is None or await connection.fetchval(_SQL["rollup_late_waiting"]):
                return None  # they would be counted once more by the merge that finds them
            first, end = ids_of_day(day)
            await connection.execute(_SQL["rollup_watch_cleared"], first, end)
            rows = messages = counted = 0
            step = await _quarters_at_once(connection, first, end)
            for quarter in range(0, QUARTERS_PER_DAY, step):
                start = day * QUARTERS_PER_DAY + quarter
                quarters = start, start + step
                counted += await fold(connection, *_ids(quarters, cursor))
                await place(connection, self._bounds)
                wrong_rows, wrong_messages = await add(connection, quarters)
                rows, messages = rows + wrong_rows, messages + wrong_messages
                await connection.execute(_SQL["rollup_watch_put"])
                await connection.execute(_SQL["rollup_work_clear"])
            rows += await connection.fetchval(_SQL["rollup_latency_day_again"], day)
            closed = day <= _day(now) - CLOSED_DAYS and end <= cursor
            await connection.execute(_SQL["rollup_recounted"], day, closed)
        return Recount(day, rows, messages, counted)

    async def _due(self, connection: Connection, now: datetime) -> tuple[int, bool] | None:
        """(the day that is due now, whether it is in doubt)."""
        dirty = await connection.fetchval(_SQL["rollup_days_dirty"], DOUBT_REST)
        if dirty is not None:
            return dirty, True
        oldest_open = _day(now) - CLOSED_DAYS
        cursor = await connection.fetchval(_SQL["rollup_cursor"])
        if cursor is None:
            return None
        there = [
            day
            for row in await connection.fetch(_SQL["rollup_leaves"])
            if (day := _day_of_leaf(row["leaf"])) <= oldest_open and ids_of_day(day)[1] <= cursor
        ]
        closed = {row["day"] for row in await connection.fetch(_SQL["rollup_days_closed"], there)}
        still_open = [day for day in there if day not in closed]
        if still_open:
            return still_open[0], False
        if self._older == now.date():
            return None
        self._older = now.date()
        older = await connection.fetchval(_SQL["rollup_day_by_chance"], there, oldest_open)
        return None if older is None else (older, False)


async def _quarters_at_once(connection: Connection, first: int, end: int) -> int:
    """So many that what is folded at once stays small."""
    for fewer, quarters in QUARTERS_AT_ONCE:
        if await connection.fetchval(_SQL["rollup_span_end"], first, end, fewer) is None:
            return quarters
    return 1


def _ids(quarters: tuple[int, int], cursor: int) -> tuple[int, int]:
    """The ids of these quarters, as far as they are counted."""
    first, end = (min(id_at(start_of_quarter(quarter)), cursor) for quarter in quarters)
    return first, end


def _day(moment: datetime) -> int:
    return day_of(quarter_of(moment))


def _date(day: int) -> date:
    return start_of_day(day).date()


def _day_of_leaf(leaf: str) -> int:
    name = leaf.rpartition("_")[2]
    return _day(datetime.strptime(name, "%Y%m%d").replace(tzinfo=UTC))
