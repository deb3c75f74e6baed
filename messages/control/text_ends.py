"""Texts of messages that are final, emptied as the message or its account wants it.

Owns which messages need their text no more. Must not decide when one is due (storage/text_ends.py).
A message that waits, is in doubt or has no outcome yet keeps its text.
"""

from __future__ import annotations

from collections.abc import Sequence

from messages.reading.statuses import standings
from storage import sql
from storage.pool import Connection
from storage.text_ends import ROWS_PER_BATCH, Statements, TextEnds

_SQL = sql.load("messages")


def message_texts(*, rows_per_batch: int = ROWS_PER_BATCH) -> TextEnds:
    """The pass over table message."""
    statements = Statements(_SQL["text_days_next"], _SQL["texts_due"], _SQL["texts_empty"])
    return TextEnds(statements, _final, rows_per_batch=rows_per_batch)


async def _final(connection: Connection, ids: Sequence[int]) -> Sequence[int]:
    standing = await standings(connection, ids)
    return [each for each, stands in standing.items() if stands.status.final]
