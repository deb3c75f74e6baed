"""Which messages changed, written down in the transaction that changes them.

Owns the rows of `rollup_change` as they are put in, one for each transaction. Must not count
anything: the merger compares each named message with what it was counted as. So naming one twice,
or for nothing, is harmless, and forgetting one is not.

Ids that are younger than LATE_SECONDS when their transaction begins need no naming. The merger
stays behind the oldest open transaction by twice that.
"""

from __future__ import annotations

from collections.abc import Iterable

from storage import sql
from storage.pool import Connection

_SQL = sql.load("dlr")
# The numbers in rollup_change.kind.
CHANGED = 0
NEW = 1
NAMES_PER_ROW_MAX = 5_000
LATE_SECONDS = 5

_LATE_IDS = LATE_SECONDS * 1000 << 22


async def name_changed(connection: Connection, message_ids: Iterable[int]) -> None:
    """These messages have other results than before, or wait no longer."""
    await _name(connection, CHANGED, message_ids)


async def name_new(connection: Connection, message_ids: Iterable[int]) -> None:
    """These messages are stored late: the merger may have passed their ids already."""
    await _name(connection, NEW, message_ids)


def late(message_ids: Iterable[int], now_id: int) -> list[int]:
    """Those that have to be named. `now_id`: made in their transaction, or just before it."""
    limit = now_id - _LATE_IDS
    return [each for each in message_ids if each < limit]


async def _name(connection: Connection, kind: int, message_ids: Iterable[int]) -> None:
    ids = list(dict.fromkeys(message_ids))
    for start in range(0, len(ids), NAMES_PER_ROW_MAX):
        await connection.execute(
            _SQL["rollup_change_put"], kind, ids[start : start + NAMES_PER_ROW_MAX]
        )
