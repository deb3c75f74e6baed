"""The table of message parts that wait for the rest.

Owns every statement on `inbound_part`. Must not join parts: smpp/reassembly.py does in memory, and
this table is its memory after a crash. Each function runs inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import asyncpg
import msgspec

from dispatch.inbound.records import PartRow
from smpp.reassembly import TIMEOUT_SECONDS
from storage import sql
from storage.ids import EPOCH_UNIX_MS, NODE_BITS, SEQUENCE_BITS, id_at
from storage.pool import Connection

_SQL = sql.load("dispatch")
# A carrier repeats an unanswered part within minutes. Later the same reference is another message.
REPEAT_SECONDS = TIMEOUT_SECONDS
ELSEWHERE_ROWS_MAX = 2_000  # more than one message can have
_COLUMNS = PartRow.__struct_fields__


class HeldPart(msgspec.Struct):
    """A part as another process left it. `inbound_id`: the message that has it already."""

    row: PartRow
    inbound_id: int | None

    @property
    def received_ms(self) -> int:
        """When it came, in ms since the epoch; its id says so."""
        return (self.row.id >> NODE_BITS + SEQUENCE_BITS) + EPOCH_UNIX_MS


async def hold(connection: Connection, rows: Sequence[PartRow], term: int) -> None:
    """Keep these parts."""
    if rows:
        columns = [[getattr(row, name) for row in rows] for name in _COLUMNS]
        await connection.execute(_SQL["parts_hold"], term, *columns)


async def settle(connection: Connection, settled: Mapping[int, int]) -> None:
    """Mark these (part -> inbound message) as part of a stored message."""
    if settled:
        await connection.execute(_SQL["parts_settle"], list(settled), list(settled.values()))


async def drop(connection: Connection, parts: Sequence[int]) -> None:
    """Delete these: they were known already."""
    if parts:
        await connection.execute(_SQL["parts_drop"], parts)


async def take_over(
    connection: Connection, connectors: Sequence[int], term: int, now: datetime
) -> list[HeldPart]:
    """Make ours what processes that have ended held for these connectors. Oldest first."""
    since = id_at(now - timedelta(seconds=REPEAT_SECONDS))
    rows = await connection.fetch(_SQL["parts_take_over"], term, connectors, since)
    return sorted(map(_held, rows), key=lambda part: part.row.id)


async def elsewhere(
    connection: Connection, connectors: Sequence[int], term: int, now: datetime
) -> list[tuple[HeldPart, int]]:
    """Our parts of messages whose first part another living process holds, with its term."""
    since = id_at(now - timedelta(seconds=REPEAT_SECONDS))
    rows = await connection.fetch(
        _SQL["parts_elsewhere"], term, connectors, since, ELSEWHERE_ROWS_MAX
    )
    return [(_held(row), row["home"]) for row in rows]


async def give(connection: Connection, homes: Mapping[int, int], term: int) -> None:
    """Give these (part -> term) of ours away."""
    await connection.execute(_SQL["parts_give"], list(homes), list(homes.values()), term)


async def keep(connection: Connection, given: Sequence[int], term: int) -> None:
    """Take back these of what this transaction gave away."""
    if given:
        await connection.execute(_SQL["parts_keep"], given, term)


async def given(connection: Connection, connectors: Sequence[int], term: int) -> list[HeldPart]:
    """What others gave us and is not yet in our memory, oldest first."""
    return [_held(row) for row in await connection.fetch(_SQL["parts_given"], term, connectors)]


async def got(connection: Connection, ids: Sequence[int], term: int) -> None:
    """Mark these as in our memory."""
    await connection.execute(_SQL["parts_got"], ids, term)


def _held(row: asyncpg.Record) -> HeldPart:
    return HeldPart(PartRow(*[row[name] for name in _COLUMNS]), row["inbound_id"])


async def purge(connection: Connection, now: datetime) -> None:
    """Delete settled parts that no carrier will repeat any more."""
    await connection.execute(
        _SQL["parts_purge"], id_at(now - timedelta(seconds=2 * REPEAT_SECONDS))
    )
