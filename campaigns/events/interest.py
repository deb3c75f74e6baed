"""How much of an account's texts a contact wants to have, by what they did of late.

Owns the score, the tier it leads to, and the statement that says both of many contacts. Must not
count what was sent to anybody, nor refuse a message: caps do.

The score of the last 90 days is clicks + 3 conversions - deliveries / 4. Whoever did nothing about
three recalls gets no more. A test compares the statement with the function.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import IntEnum

import msgspec

from campaigns.events.naming import CONVERSIONS
from shortlinks.conversions import LANDING_EVENT
from storage import sql
from storage.ids import id_at
from storage.pool import Connection

DAYS = 90
CONVERSION_WEIGHS = 3
DELIVERIES_PER_POINT = 4
KEEN_FROM, WILLING_FROM = 3, 0
RECALLS_IN_VAIN = 3
PAID = "order_paid"  # a conversion also where the account tells it as an event
_TOLD_BEFORE = timedelta(minutes=5)  # an event may be told before its time

_SQL = sql.load("campaigns")


class Tier(IntEnum):
    """The code in the statement. `most` texts in `days`."""

    UNRESPONSIVE = 0
    TIRED = 1
    WILLING = 2
    KEEN = 3

    @property
    def most(self) -> int:
        """How many texts somebody of this tier may get in `days`."""
        return (0, 2, 1, 2)[self]

    @property
    def days(self) -> int:
        """A week or a month, rolling."""
        return 30 if self in (Tier.UNRESPONSIVE, Tier.TIRED) else 7


class Interest(msgspec.Struct, frozen=True, gc=False):
    """What a contact did and got in the last DAYS. `reactions`: all that they did by themselves.

    `recalls`: deliveries of campaigns that call people back; they count as deliveries, too.
    """

    clicks: int = 0
    conversions: int = 0
    deliveries: int = 0
    recalls: int = 0
    reactions: int = 0

    @property
    def score(self) -> float:
        """Exact: quarters are."""
        points = self.clicks + CONVERSION_WEIGHS * self.conversions
        return points - self.deliveries / DELIVERIES_PER_POINT

    @property
    def tier(self) -> Tier:
        """Where it leads to. Who got and did nothing is WILLING."""
        if self.recalls >= RECALLS_IN_VAIN and not self.reactions:
            return Tier.UNRESPONSIVE
        if self.score >= KEEN_FROM:
            return Tier.KEEN
        return Tier.WILLING if self.score >= WILLING_FROM else Tier.TIRED


async def interests(
    connection: Connection, contacts: Sequence[int], now: datetime
) -> dict[int, tuple[Interest, Tier]]:
    """Of each of these contacts, in one statement. What is not counted yet is missing in it."""
    since = now - timedelta(days=DAYS)
    rows = await connection.fetch(
        _SQL["interests"],
        contacts,
        since,
        now,
        id_at(since - _TOLD_BEFORE),
        [int(what) for what in CONVERSIONS],
        LANDING_EVENT,
        PAID,
    )
    names = Interest.__struct_fields__
    return {
        row["contact"]: (Interest(*(row[name] for name in names)), Tier(row["tier"]))
        for row in rows
    }
