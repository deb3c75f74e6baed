"""How many of those planned a cap would keep from their message, if it went now.

Owns that count, and what it has to know of an account. Must not stop anybody: each message is asked
about when it goes, and by then the count may be another.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from recipients.caps import DAY_MS, NO_CAPS, Caps
from storage import sql
from storage.categories import Category
from storage.pool import Connection

_SQL = sql.load("campaigns")
COUNT_SECONDS_MAX = 120.0


class CapsInForce(msgspec.Struct, frozen=True):
    """Of an account: its own caps by category, and whether people may wish."""

    own: Mapping[int, Caps] = msgspec.field(default_factory=dict)
    wishes: bool = False


NONE_IN_FORCE = CapsInForce()


async def capped(
    connection: Connection,
    campaign: int,
    account: int,
    category: Category,
    caps: CapsInForce,
    now: datetime,
) -> int:
    """Of the campaign's recipients who get a message: how many have had enough at `now`."""
    own = caps.own.get(category, NO_CAPS)
    personal = category is Category.MARKETING
    if not own and not personal:
        return 0
    count: int = await connection.fetchval(
        _SQL["plan_capped"], campaign, account, category, int(now.timestamp() * 1000), DAY_MS,
        own.day, own.week, own.month, own.gap_seconds * 1000, personal, personal and caps.wishes,
        timeout=COUNT_SECONDS_MAX,
    )  # fmt: skip
    return count
