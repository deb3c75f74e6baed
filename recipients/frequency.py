"""The counts behind caps: when messages went to a number, and how many to numbers that begin alike.

Owns the tables `frequency` and `prefix_count`. Must not decide what is too many (caps.py,
velocity.py). A locked row stays the caller's until its transaction ends. So two processes count for
the same number one after the other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from types import MappingProxyType

import asyncpg
import msgspec

from dlr.in_doubt import GIVEN_UP, IN_DOUBT
from dlr.status import Status
from recipients.caps import DAY_MS, KEPT_MS
from recipients.velocity import Slots
from storage import sql
from storage.ids import id_at
from storage.periodic import while_full
from storage.pool import Connection

_SQL = sql.load("recipients")
PURGE_ROWS_MAX = 10_000
_EARLIER = timedelta(days=1)  # results are stored after the count, by clocks that may differ
# Refusals, by their status. Without a carrier's id nothing was taken.
_REFUSED = [Status.EXPIRED, Status.REJECTED, Status.UNDELIVERED, Status.FAILED]

Number = tuple[int, int, bytes]  # account, category, index of the recipient
Prefix = tuple[int, str]  # account, beginning of the number
Old = Mapping[Number, Number]  # under another index of the same recipient, and under its own
NONE_OLD: Old = MappingProxyType({})


class Sends(msgspec.Struct):
    """message id -> when it was counted, in ms since the epoch."""

    at: dict[int, int] = msgspec.field(default_factory=dict)

    @property
    def times(self) -> list[int]:
        """When they were counted, in ms since the epoch."""
        return list(self.at.values())

    def count(self, message_id: int, at: int) -> None:
        """Count one more, or the same once more. Forgets what no span reaches."""
        self.at[message_id] = at
        for old in [each for each, when in self.at.items() if when <= at - KEPT_MS]:
            del self.at[old]


async def read(
    connection: Connection, numbers: Collection[Number], old: Old = NONE_OLD
) -> dict[Number, Sends]:
    """The counts of these numbers, an entry for each. `old`: other indexes that some may stand
    under.
    """
    found = await _sends(connection, "frequency_read", numbers)
    await _add_old(connection, found, old)
    return found


async def lock(
    connection: Connection, numbers: Collection[Number], old: Old = NONE_OLD
) -> dict[Number, Sends]:
    """As read(); nobody else counts for them until the transaction ends."""
    found = await _sends(connection, "frequency_lock", numbers)
    # After the lock: who moves an old row holds both.
    await _add_old(connection, found, old)
    return found


async def _add_old(connection: Connection, found: dict[Number, Sends], old: Old) -> None:
    if not old:
        return
    for where, sends in (await _sends(connection, "frequency_read", old)).items():
        found[old[where]].at = sends.at | found[old[where]].at


async def write(connection: Connection, counted: Mapping[Number, Sends]) -> None:
    """Store the counts of numbers that were locked."""
    rows = [
        (*number, message_id, at)
        for number, sends in counted.items()
        for message_id, at in sends.at.items()
    ]
    if rows:
        await connection.execute(_SQL["frequency_write"], *_columns(rows))


async def never_sent(connection: Connection, counted: Mapping[int, int]) -> set[int]:
    """Those of these messages (id -> when it was counted) that were never sent.

    They ended before the wire, or their submit_sm was refused.
    """
    rows = await connection.fetch(
        _SQL["never_sent"],
        list(counted),
        [id_at(datetime.fromtimestamp(at / 1000, UTC) - _EARLIER) for at in counted.values()],
        _REFUSED,
        GIVEN_UP,
        IN_DOUBT,
    )
    return {row["id"] for row in rows}


async def not_stored(connection: Connection, message_ids: Collection[int]) -> set[int]:
    """Those of these messages that were taken back before their client was answered."""
    rows = await connection.fetch(_SQL["not_stored"], list(message_ids))
    return {row["id"] for row in rows}


async def read_prefixes(
    connection: Connection, prefixes: Collection[Prefix]
) -> dict[Prefix, Slots]:
    """The counts of these prefixes, an entry for each."""
    return await _slots(connection, "prefix_read", prefixes)


async def lock_prefixes(
    connection: Connection, prefixes: Collection[Prefix]
) -> dict[Prefix, Slots]:
    """As read_prefixes(); nobody else counts for them until the transaction ends."""
    return await _slots(connection, "prefix_lock", prefixes)


async def write_prefixes(connection: Connection, counted: Mapping[Prefix, Slots]) -> None:
    """Store the counts of prefixes that were locked."""
    rows = [
        (*prefix, slot, count) for prefix, slots in counted.items() for slot, count in slots.items()
    ]
    if rows:
        await connection.execute(_SQL["prefix_write"], *_columns(rows))


async def page(
    connection: Connection, after: Number, limit: int
) -> list[tuple[Number, bytes | None, bool]]:
    """Rows behind one, in order: whose they are, and the encrypted number of a message counted
    there.
    """
    rows = await connection.fetch(_SQL["frequency_page"], *after, limit)
    return [
        ((row["account"], row["category"], row["to_idx"]), row["to_enc"], row["counted"])
        for row in rows
    ]


async def move(connection: Connection, moves: Old) -> None:
    """Add what was counted under other indexes to the recipients' own. The others are deleted."""
    numbers = {*moves, *moves.values()}
    found = await lock(connection, numbers)
    for old, number in moves.items():
        found[number].at = found[old].at | found[number].at
    await write(connection, {number: found[number] for number in moves.values()})
    await connection.execute(_SQL["frequency_delete"], *_columns(moves))


async def forget(connection: Connection, now: datetime) -> None:
    """Forget what was sent so long ago that no cap asks for it."""
    now_ms = int(now.timestamp() * 1000)
    await while_full(partial(purge, connection, now_ms), PURGE_ROWS_MAX)


async def purge(connection: Connection, now_ms: int) -> int:
    """Delete numbers and prefixes that no span reaches any more, a bounded number of each."""
    gone = 0
    for name, kept_ms in (("frequency_purge", KEPT_MS), ("prefix_purge", DAY_MS)):
        done = await connection.execute(_SQL[name], now_ms - kept_ms, PURGE_ROWS_MAX)
        gone += int(done.split()[-1])
    return gone


async def _sends(
    connection: Connection, which: str, numbers: Collection[Number]
) -> dict[Number, Sends]:
    found = {number: Sends() for number in numbers}
    for row in await _fetch(connection, which, sorted(found)):
        number = (row["account"], row["category"], row["to_idx"])
        found[number] = Sends(dict(zip(row["message_ids"], row["sent_at"], strict=True)))
    return found


async def _slots(
    connection: Connection, which: str, prefixes: Collection[Prefix]
) -> dict[Prefix, Slots]:
    found: dict[Prefix, Slots] = {prefix: {} for prefix in prefixes}
    for row in await _fetch(connection, which, sorted(found)):
        slots = dict(zip(row["slots"], row["counts"], strict=True))
        found[row["account"], row["prefix"]] = slots
    return found


async def _fetch(
    connection: Connection, which: str, keys: list[Number] | list[Prefix]
) -> list[asyncpg.Record]:
    if not keys:
        return []
    return await connection.fetch(_SQL[which], *_columns(keys))


def _columns(rows: Iterable[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]
