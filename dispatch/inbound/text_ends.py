"""Texts of messages from handsets, emptied after the days that their account says.

Owns when such a text is needed no more. Must not decide when one is due (storage/text_ends.py).
What an account is told of a message is made in the transaction that stores it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from storage import sql
from storage.pool import Connection
from storage.text_ends import ROWS_PER_BATCH, Statements, TextEnds

_SQL = sql.load("dispatch")
AGE_MIN = timedelta(minutes=1)  # what a reply owes is made of its text


def inbound_texts(*, rows_per_batch: int = ROWS_PER_BATCH) -> TextEnds:
    """The pass over table inbound_message."""
    statements = Statements(
        _SQL["inbound_text_days_next"], _SQL["inbound_texts_due"], _SQL["inbound_texts_empty"]
    )
    return TextEnds(statements, _all, age_min=AGE_MIN, rows_per_batch=rows_per_batch)


async def _all(_connection: Connection, ids: Sequence[int]) -> Sequence[int]:
    return ids
