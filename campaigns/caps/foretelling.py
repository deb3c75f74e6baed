"""How many of those planned a cap would keep from their message, if it went now.

Owns that count, and what it has to know of an account. Must not stop anybody: each message is asked
about when it goes, and by then the count may be another.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from campaigns.caps.people import caps_of
from campaigns.events.interest import RECALLS_IN_VAIN, interests
from recipients.caps import DAY_MS, NO_CAPS, Caps
from storage import sql
from storage.categories import Category
from storage.pool import Connection

_SQL = sql.load("campaigns")
COUNT_SECONDS_MAX = 120.0
CONTACTS_AT_ONCE = 10_000  # whose interest is asked in one statement


class CapsInForce(msgspec.Struct, frozen=True):
    """Of an account: its own caps by category, whether people may wish, and whether what they do
    with messages counts.
    """

    own: Mapping[int, Caps] = msgspec.field(default_factory=dict)
    wishes: bool = False
    engagement: bool = False


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
    engagement = personal and caps.engagement
    await connection.execute(_SQL["plan_engaged_table"])
    count: int = await connection.fetchval(
        _SQL["plan_capped"], campaign, account, category, int(now.timestamp() * 1000), DAY_MS,
        own.day, own.week, own.month, own.gap_seconds * 1000, personal, personal and caps.wishes,
        engagement, RECALLS_IN_VAIN,
        timeout=COUNT_SECONDS_MAX,
    )  # fmt: skip
    return count + (await _tired(connection, now) if engagement else 0)


async def _tired(connection: Connection, now: datetime) -> int:
    """Of those whom no other cap holds back: how many have had as many as they respond to."""
    count = 0
    cursor = await connection.cursor(_SQL["plan_engaged"])
    while rows := await cursor.fetch(CONTACTS_AT_ONCE):
        shown = await interests(connection, [row["contact"] for row in rows], now)
        for row in rows:
            caps = caps_of(shown[row["contact"]][1])
            had = row["month"] if caps.week is None else row["week"]
            count += had >= (caps.month if caps.week is None else caps.week)
    return count
