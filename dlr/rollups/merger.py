"""Counts what is new and what changed: the merges that keep the rollups up to date.

Owns one transaction at a time, of one process at a time. It counts messages from the cursor up to
the horizon, and the difference for those that were named since. Killed before its COMMIT it has
done nothing. Must not know who names (naming.py), nor what is kept apart (placing.py).

Below the horizon every message is visible in the snapshot, or is named by a transaction that
began late. So none is passed over, and none is counted twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import msgspec

from dlr.rollups.columns import (
    day_of,
    ids_of_day,
    quarter_of,
    quarter_of_id,
    start_of_day,
)
from dlr.rollups.folding import fold, prepare
from dlr.rollups.naming import LATE_SECONDS, NEW
from dlr.rollups.outcomes import Outcomes, hand_over
from dlr.rollups.placing import BOUNDS, Bounds, place
from storage import sql
from storage.ids import EPOCH, id_at, time_of
from storage.partitions import ensure_leaf
from storage.pool import Connection

_SQL = sql.load("dlr")
MESSAGES_PER_MERGE_MAX = 20_000
NAMED_PER_MERGE_MAX = 50_000
ROWS_PER_MERGE_MAX = 2_000
MERGES_PER_TURN_MAX = 10  # one after the other while there is more
LEFT_ALONE = timedelta(seconds=120)  # most receipts are there by then, and change nothing later
LATE = timedelta(seconds=2 * LATE_SECONDS)  # two clocks may differ by half of it

_NO_QUARTERS = (1, 0)
_ADDITIONS = (
    "rollup_reasons_add",
    "rollup_tags_add",
    "rollup_attempts_add",
    "rollup_latencies_add",
)


class Merged(msgspec.Struct, frozen=True):
    """What one merge did. `more`: another has work at once."""

    counted: int = 0  # messages, for the first time
    changed: int = 0  # messages, again
    dirty: int = 0  # messages of which nobody can tell as what they were counted
    more: bool = False


class Merger:
    """One process's turns at it. The counters are since start."""

    def __init__(
        self,
        *,
        bounds: Bounds = BOUNDS,
        left_alone: timedelta = LEFT_ALONE,
        rests: Callable[[], bool] = lambda: False,
        monotonic: Callable[[], float] = lambda: 0.0,
        outcomes: Outcomes | None = None,
    ) -> None:
        """`rests`: whether there is more urgent work for the database. `monotonic`: in seconds.
        `outcomes` is told what has ended, in the transaction that counts it so.
        """
        self._bounds = bounds
        self._left_alone = left_alone
        self._rests = rests
        self._seconds = monotonic
        self._outcomes = outcomes
        self.messages_counted = 0
        self.messages_changed = 0
        self.messages_dirty = 0
        self.others: Counter[str] = Counter()
        self.merges = 0
        self.seconds = 0.0
        self.counted_until: datetime | None = None  # by whoever merged last
        self.changes_waiting = 0

    async def turn(self, connection: Connection) -> None:
        """Merge what there is, unless another process is at it. Must not run in a transaction."""
        if self._rests():
            return
        if not await connection.fetchval(_SQL["rollup_try"]):
            cursor = await connection.fetchval(_SQL["rolled_below"])
            self.counted_until = None if cursor is None else time_of(cursor)
            return
        try:
            for _ in range(MERGES_PER_TURN_MAX):
                merged = await self.merge(connection)
                if not merged.more or self._rests():
                    break
            self.changes_waiting = await connection.fetchval(_SQL["rollup_changes_waiting"])
        finally:
            await connection.execute(_SQL["rollup_done"])

    async def merge(self, connection: Connection) -> Merged:
        """One merge. The caller holds the lock of `rollup_try`, and is in no transaction."""
        began = self._seconds()
        await prepare(connection)
        seen = await connection.fetchrow(_SQL["rollup_horizon"], self._left_alone, LATE)
        assert seen is not None
        horizon = id_at(seen["horizon"])
        await connection.execute(_SQL["rollup_cursor_first"], horizon)
        day = day_of(quarter_of_id(await connection.fetchval(_SQL["rollup_cursor"])))
        await ensure_leaf(connection, "rollup_watch", start_of_day(day).date())
        others: Counter[str] = Counter()
        async with connection.transaction(isolation="repeatable_read"):
            step = await _next_step(connection, horizon)
            merged = await self._count(connection, step, others)
            await connection.execute(_SQL["rollup_cursor_move"], step.until, seen["now"])
            await connection.execute(_SQL["rollup_changes_merged"], step.rows)
        self.messages_counted += merged.counted
        self.messages_changed += merged.changed
        self.messages_dirty += merged.dirty
        self.others.update(others)
        self.merges += 1
        self.seconds += self._seconds() - began
        self.counted_until = time_of(step.until)
        return merged

    async def _count(self, connection: Connection, step: _Step, others: Counter[str]) -> Merged:
        named = sorted(step.changed | step.new)
        counted = await fold(connection, step.cursor, step.until, named)
        if self._outcomes is not None and counted:
            await hand_over(connection, self._outcomes)
        changed = dirty = 0
        if named:
            bounds = named[0], named[-1]
            rows = await connection.fetch(_SQL["rollup_watched"], named, *bounds)
            watched = {row["message_id"] for row in rows}
            changed = len(watched)
            counted -= changed
            unsure = sorted(step.changed - watched - step.new)
            if unsure:
                taken, dirty = await _unsure(connection, unsure)
                counted -= taken
            await connection.execute(
                _SQL["rollup_counted_before"], sorted(watched), *bounds, quarter_of(EPOCH)
            )
        others.update(await place(connection, self._bounds))
        await add(connection)
        if named:
            await connection.execute(_SQL["rollup_watch_settled"])
        await connection.execute(_SQL["rollup_watch_put"])
        return Merged(counted, changed, dirty, step.more)


async def add(connection: Connection, quarters: tuple[int, int] = _NO_QUARTERS) -> tuple[int, int]:
    """Add what was folded and placed to all rollups, in place of what these quarters had.

    Returns (rows that differ, messages that differ at most).
    """
    row = await connection.fetchrow(_SQL["rollup_cells_add"], *quarters)
    assert row is not None  # an aggregate always has one row
    rows = row["rows"]
    for name in _ADDITIONS:
        rows += await connection.fetchval(_SQL[name], *quarters)
    return rows, row["messages"]


class _Step(msgspec.Struct, frozen=True):
    """What one merge is about: ids from `cursor` to `until`, and names below `cursor`."""

    cursor: int
    until: int
    changed: set[int]
    new: set[int]
    rows: Sequence[int]
    more: bool


async def _next_step(connection: Connection, horizon: int) -> _Step:
    cursor = await connection.fetchval(_SQL["rollup_cursor"])
    rows = await connection.fetch(_SQL["rollup_changes"], ROWS_PER_MERGE_MAX, NAMED_PER_MERGE_MAX)
    changed: set[int] = set()
    new: set[int] = set()
    for row in rows:
        named = new if row["kind"] == NEW else changed
        named.update(each for each in row["message_ids"] if each < cursor)
    number = sum(len(row["message_ids"]) for row in rows)
    cut = len(rows) == ROWS_PER_MERGE_MAX or number >= NAMED_PER_MERGE_MAX
    _, end_of_day = ids_of_day(day_of(quarter_of_id(cursor)))  # whose leaf is there
    until = max(cursor, min(horizon, end_of_day))
    if cut and rows[-1]["kind"] == NEW:
        until = cursor  # more of them may wait, and those are counted with the cursor where it is
    end = await connection.fetchval(_SQL["rollup_span_end"], cursor, until, MESSAGES_PER_MERGE_MAX)
    return _Step(
        cursor,
        end or until,
        changed,
        new,
        [row["id"] for row in rows],
        cut or (end or until) < horizon,
    )


async def _unsure(connection: Connection, message_ids: Sequence[int]) -> tuple[int, int]:
    """Messages that were named and are not watched. Either nothing can change them, or their days
    have to be counted anew. Returns (how many were folded, how many are in doubt).
    """
    rows = await connection.fetch(
        _SQL["rollup_unwatched"], message_ids, message_ids[0], message_ids[-1]
    )
    settled = {row["id"] for row in rows if row["settled"]}
    doubtful = [each for each in message_ids if each not in settled]
    if doubtful:
        days = [day_of(quarter_of_id(each)) for each in doubtful]
        await connection.execute(_SQL["rollup_dirty"], days)
    return sum(row["folded"] for row in rows), len(doubtful)
