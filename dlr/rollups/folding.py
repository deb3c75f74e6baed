"""What each message of a span, or of a list, is counted as now.

Owns the work table of this session that holds it. Must not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log

from dlr.rollups.columns import quarter_of
from dlr.rollups.latency import GROWTH, LONGEST_MS
from storage import sql
from storage.ids import EPOCH, EPOCH_UNIX_MS
from storage.pool import Connection

_SQL = sql.load("dlr")
FOLD_SECONDS_MAX = 120.0  # a quarter of an hour may have a million messages

_EPOCH_QUARTER = quarter_of(EPOCH)


async def prepare(connection: Connection) -> None:
    """Make the work tables of this session. They are empty after each transaction."""
    await connection.execute(_SQL["rollup_work_tables"])


async def fold(
    connection: Connection, first: int, end: int, message_ids: Sequence[int] = ()
) -> int:
    """Fold messages with first <= id < end, and those of `message_ids`, all of them below `first`.

    Returns how many that were. Messages of the sandbox are left out.
    """
    bounds = (message_ids[0], message_ids[-1]) if message_ids else (end, end)
    # What was just filled has no statistics, and a nested loop over it takes minutes.
    await connection.execute("SET LOCAL enable_nestloop = off")
    done = await connection.execute(
        _SQL["rollup_fold"],
        first,
        end,
        message_ids,
        *bounds,
        EPOCH_UNIX_MS,
        _EPOCH_QUARTER,
        log(GROWTH),
        float(LONGEST_MS),
        timeout=FOLD_SECONDS_MAX,
    )
    await connection.execute("SET LOCAL enable_nestloop = on")
    return int(done.split()[-1])
