"""The funnel of a campaign: accepted, sent, delivered, clicked.

Owns what a click rate is. Must not count deliveries (`dlr/report.py` does), and must not write.
Previews and scanners open links too. So only clicks classified as human count in a rate; all are
shown.
"""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg
import msgspec

from dlr.rates import Rate, delivery_rates, rate_of
from dlr.report import COUNTS, KeyValue, delivery_counts
from shortlinks.classify import ClickClass
from storage import sql
from storage.categories import Category

_SQL = sql.load("campaigns")

FUNNEL_KEYS = ("account", "category", "campaign", "variant")
CLICK_COUNTS = (
    "clicks",
    "human_clicks",
    "human_clicks_delivered",
    "clicked_recipients",
    "clicked_recipients_delivered",
)


class Funnel(msgspec.Struct):
    """One group.

    `counts`: those of dlr.report, and `clicks` (every request for a link), `human_clicks` and
    `clicked_recipients` (distinct numbers with a human click). The last two also for messages with
    a delivery receipt (`…_delivered`).

    `rates`: those of dlr.rates, and two more.

    - ctr_delivered = human_clicks_delivered / delivered. It is clicks per message, may exceed 1,
      and so has no bounds.
    - uctr_delivered = clicked_recipients_delivered / delivered, with bounds.
    """

    key: dict[str, KeyValue]
    counts: dict[str, int]
    rates: dict[str, Rate]
    place: tuple[str, ...] = ()  # as in dlr.report.GroupCounts


async def funnel(
    connection: asyncpg.Connection,
    *,
    since_id: int,
    until_id: int,
    group_by: Sequence[str] = ("campaign",),
    account: int | None = None,
    campaign: str | None = None,
    after: Sequence[str] | None = None,
    limit: int | None = None,
) -> list[Funnel]:
    """The funnel of the messages with since_id <= id < until_id, per group of any of FUNNEL_KEYS.

    Pages are those of dlr.report.delivery_counts. A click counts whenever it comes: it belongs to
    the message, not to the day. Raises ValueError for another key.
    """
    for key in group_by:
        if key not in FUNNEL_KEYS:
            raise ValueError(f"group_by {key!r}: expected any of {', '.join(FUNNEL_KEYS)}")
    # Clicks first. A message delivered in between is then in the denominator only, never the
    # reverse.
    records = await connection.fetch(
        _SQL["click_counts"],
        since_id,
        until_id,
        ClickClass.HUMAN,
        account,
        campaign,
        *(key in group_by for key in FUNNEL_KEYS),
    )
    groups = await delivery_counts(
        connection,
        since_id=since_id,
        until_id=until_id,
        group_by=group_by,
        account=account,
        campaign=campaign,
        after=after,
        limit=limit,
    )
    clicks = {tuple(_label(key, record[key]) for key in group_by): record for record in records}
    funnels = []
    for group in groups:
        record = clicks.get(tuple(group.key[key] for key in group_by))
        for name in CLICK_COUNTS:
            group.counts[name] = record[name] if record is not None else 0
        funnels.append(Funnel(group.key, group.counts, _rates(group.counts), group.place))
    return funnels


def nothing_counted() -> Funnel:
    """The funnel of no message: every count is 0, no rate has a value."""
    counts = dict.fromkeys((*COUNTS, *CLICK_COUNTS), 0)
    return Funnel({}, counts, _rates(counts))


def _rates(counts: dict[str, int]) -> dict[str, Rate]:
    rates = delivery_rates(counts)
    delivered, clicks = counts["delivered"], counts["human_clicks_delivered"]
    value = clicks / delivered if delivered else None
    rates["ctr_delivered"] = Rate(clicks, delivered, value, low=None, high=None)
    rates["uctr_delivered"] = rate_of(counts["clicked_recipients_delivered"], delivered)
    return rates


def _label(key: str, value: KeyValue) -> KeyValue:
    return Category(value).label if key == "category" and isinstance(value, int) else value
