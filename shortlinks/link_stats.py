"""What the clicks on a link that belongs to no message amount to.

Owns the reading of `click` by such a link. Must not judge a click (classify.py).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from shortlinks.classify import ClickClass
from storage.ids import EPOCH, id_at, time_of
from storage.sql import load

if TYPE_CHECKING:
    from storage.pool import Connection

_SQL = load("shortlinks")
_MILLISECOND = timedelta(milliseconds=1)


class StatsAsked(msgspec.Struct, frozen=True):
    """Of [since, until), in spans of `interval`, which begin as those of UTC do."""

    since: datetime
    until: datetime
    interval: timedelta


class LinkSpan(msgspec.Struct, frozen=True):
    """One span that had a click."""

    since: datetime
    clicks: int
    human_clicks: int


class LinkStats(msgspec.Struct, frozen=True):
    """Clicks by class. `visitors`: pairs of network and browser among clicks of people. Moments are
    those of people's clicks.
    """

    classes: dict[ClickClass, int]
    visitors: int
    first_at: datetime | None
    last_at: datetime | None
    spans: list[LinkSpan]

    @property
    def clicks(self) -> int:
        """Of every class."""
        return sum(self.classes.values())


async def stats(connection: Connection, link_id: int, asked: StatsAsked) -> LinkStats:
    """Clicks that are loaded; each class is there."""
    bounds = link_id, id_at(asked.since), id_at(asked.until)
    rows = {row["class"]: row for row in await connection.fetch(_SQL["link_counts"], *bounds)}
    spans = await connection.fetch(
        _SQL["link_spans"], *bounds, asked.interval // _MILLISECOND, ClickClass.HUMAN
    )
    human = rows.get(ClickClass.HUMAN)
    return LinkStats(
        classes={each: rows[each]["clicks"] if each in rows else 0 for each in ClickClass},
        visitors=0 if human is None else human["visitors"],
        first_at=None if human is None else time_of(human["first"]),
        last_at=None if human is None else time_of(human["last"]),
        spans=[
            LinkSpan(EPOCH + row["span"] * asked.interval, row["clicks"], row["human_clicks"])
            for row in spans
        ],
    )
