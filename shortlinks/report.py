"""What the clicks of a message, or of a span of messages, amount to.

Owns the reading side of `click`. Must not form a rate: that needs deliveries, which dlr counts.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from shortlinks.classify import ClickClass
from storage.ids import time_of
from storage.sql import load

if TYPE_CHECKING:
    from storage.pool import Connection

GAPS_SHOWN_MAX = 100

_SQL = load("shortlinks")


class MessageClick(msgspec.Struct, frozen=True, gc=False):
    """One click, on a message's timeline."""

    id: int
    at: datetime  # UTC
    click_class: ClickClass
    reasons: tuple[str, ...]
    slot: int


class ClassCount(msgspec.Struct, frozen=True, gc=False):
    """How often one class of visitor came, and for how many different messages."""

    clicks: int
    messages: int


async def clicks_of_message(
    connection: Connection, message_id: int, *, clicks_max: int, after: int | None = None
) -> list[MessageClick]:
    """The first `clicks_max` clicks on a message's links behind the click `after`, oldest first."""
    behind = message_id if after is None else after  # a click is younger than its message
    rows = await connection.fetch(_SQL["clicks_of_message"], message_id, clicks_max, behind)
    return [
        MessageClick(
            row["id"],
            time_of(row["id"]),
            ClickClass(row["class"]),
            tuple(row["reasons"]),
            row["slot"],
        )
        for row in rows
    ]


class Gap(msgspec.Struct, frozen=True):
    """Clicks that were redirected and not kept: what is counted of these moments is too low."""

    since: datetime
    until: datetime
    clicks_lost: int


async def gaps_since(
    connection: Connection, since: datetime, *, gaps_max: int = GAPS_SHOWN_MAX
) -> list[Gap]:
    """The gaps that may concern messages sent from then on, earliest first.

    If there are more than `gaps_max` the last one covers the rest, so that none is left out.
    """
    rows = await connection.fetch(_SQL["gaps_since"], since, gaps_max)
    return [Gap(row["since"], row["until"], row["lost"]) for row in rows]


async def click_counts(
    connection: Connection, *, since_id: int, until_id: int
) -> dict[ClickClass, ClassCount]:
    """Clicks by class, on messages with since_id <= id < until_id. Every class is there.

    `messages` of HUMAN is the exact number of recipients who clicked, since a code belongs to one
    message. It is the numerator of a unique click rate. The caller names the denominator.
    """
    rows = await connection.fetch(_SQL["click_counts"], since_id, until_id)
    counts = {click_class: ClassCount(0, 0) for click_class in ClickClass}
    for row in rows:
        counts[ClickClass(row["class"])] = ClassCount(row["clicks"], row["messages"])
    return counts
