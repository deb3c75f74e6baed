"""Preferences: how many messages a person wants in a month at most, and on which days.

Owns the table `preference`. Must not decide whether one more is too many (caps.py) or comes on
another day (messages/rules), nor whose word it is (dispatch/inbound/page_opt_outs.py). Each
function runs inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import msgspec

from recipients.frequency import Number
from storage import sql
from storage.pool import Connection

_SQL = sql.load("recipients")


class Wish(msgspec.Struct, frozen=True, gc=False):
    """`month_max`: messages of the category in 30 days; None: any number. `days`: bits as of
    recipients/hours.py, 1 for Monday; None: any day.
    """

    month_max: int | None = None
    days: int | None = None


class Preference(msgspec.Struct, frozen=True, kw_only=True):
    """A wish as it is stored, and by whose page."""

    number: Number
    to_enc: bytes
    wish: Wish
    message_id: int
    updated_at: datetime


async def wishes(connection: Connection, numbers: Collection[Number]) -> dict[Number, Wish]:
    """The wishes of these numbers; one without a wish has no entry."""
    if not numbers:
        return {}
    rows = await connection.fetch(_SQL["preference_read"], *map(list, zip(*numbers, strict=True)))
    return {
        (row["account"], row["category"], row["to_idx"]): Wish(row["month_max"], row["days"])
        for row in rows
    }


async def put(connection: Connection, wish: Preference) -> None:
    """Store a wish in place of an earlier one."""
    await connection.execute(
        _SQL["preference_put"],
        *wish.number, wish.to_enc, wish.wish.month_max, wish.wish.days, wish.message_id,
        wish.updated_at,
    )  # fmt: skip


async def drop(connection: Connection, number: Number) -> None:
    """Forget a wish: any number is welcome again, on any day."""
    await connection.execute(_SQL["preference_drop"], *number)
