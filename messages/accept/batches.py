"""The row of a batch, by which clients ask about it and control it.

Owns its insert, in the transaction of the first messages of the batch that are stored. Must not
change it afterwards (messages/control does).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from messages.accepting import BatchOpening
from storage import sql
from storage.pool import Connection

if TYPE_CHECKING:
    from messages.accepting import Accepting

_SQL = sql.load("messages")


def opened(batch_id: int | None, items: list[Accepting]) -> list[Accepting]:
    """All items of one request, with their batch if it is one."""
    if batch_id is None or not items:
        return items
    opening = BatchOpening(batch_id, items[0].prepared.account, items[-1].id)
    for item in items:
        item.batch = opening
    return items


async def register(connection: Connection, items: Iterable[Accepting]) -> None:
    """Write the rows of batches that have none yet."""
    new = _openings(items)
    if new:
        await connection.execute(
            _SQL["batch_register"],
            [batch.id for batch in new],
            [batch.account for batch in new],
            [batch.until_id for batch in new],
        )


def registered(items: Sequence[Accepting]) -> Sequence[Accepting]:
    """Note that the transaction which wrote their batches is committed."""
    for batch in _openings(items):
        batch.stored = True
    return items


def _openings(items: Iterable[Accepting]) -> list[BatchOpening]:
    found = {item.batch for item in items if item.batch is not None and not item.batch.stored}
    return sorted(found, key=lambda batch: batch.id)
