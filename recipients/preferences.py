"""Preferences: how many messages a person wants in a month at most.

Owns the table `preference`. Must not decide whether one more is too many (caps.py), nor whose word
it is (dispatch/inbound/page_opt_outs.py). Each function runs inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import msgspec

from recipients.frequency import Number
from storage import sql
from storage.pool import Connection

_SQL = sql.load("recipients")


class Preference(msgspec.Struct, frozen=True, kw_only=True):
    """A wish as it is stored. `month_max`: messages of the category in 30 days."""

    number: Number
    to_enc: bytes
    month_max: int
    message_id: int
    updated_at: datetime


async def month_wishes(connection: Connection, numbers: Collection[Number]) -> dict[Number, int]:
    """The wishes of these numbers; one without a wish has no entry."""
    if not numbers:
        return {}
    rows = await connection.fetch(_SQL["preference_read"], *map(list, zip(*numbers, strict=True)))
    return {(row["account"], row["category"], row["to_idx"]): row["month_max"] for row in rows}


async def put(connection: Connection, wish: Preference) -> None:
    """Store a wish in place of an earlier one."""
    await connection.execute(
        _SQL["preference_put"],
        *wish.number, wish.to_enc, wish.month_max, wish.message_id, wish.updated_at,
    )  # fmt: skip


async def drop(connection: Connection, number: Number) -> None:
    """Forget a wish: any number is welcome again."""
    await connection.execute(_SQL["preference_drop"], *number)
