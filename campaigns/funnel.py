"""The funnel of a campaign: accepted, sent, delivered, clicked, converted.

Owns what a click rate and a conversion rate are, and their counting. Must not count deliveries
(`dlr/counting.py` does), and must not write. Previews and scanners open links too. So only clicks
classified as human count in a rate; all are shown.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from dlr.counting import Question, Told, set_beside, told
from dlr.grouping import Key
from dlr.rates import NO_THRESHOLDS, Rate, delivery_rates, rate_of
from dlr.report import NO_GROUPING, Counted
from dlr.thresholds import Threshold
from shortlinks.classify import ClickClass
from storage import sql
from storage.ids import id_at
from storage.pool import Connection

_SQL = sql.load("campaigns")

FUNNEL_KEYS = ("account", "category", "campaign", "variant")
CLICK_COUNTS = (
    "clicks",
    "human_clicks",
    "human_clicks_delivered",
    "clicked_recipients",
    "clicked_recipients_delivered",
    "conversions",
    "conversions_without_click",
    "converted_recipients",
    "converted_recipients_delivered",
)


async def funnel(connection: Connection, question: Question) -> Told:
    """The figures of dlr.counting, by any of FUNNEL_KEYS, with the CLICK_COUNTS beside them.

    Raises as `told` does.
    """
    counted = await told(connection, question)
    spanned = msgspec.structs.replace(question, since=counted.since, until=counted.until)
    groups = await click_counts(connection, spanned)
    total = groups.get((), {})
    if question.grouping.keys:  # a recipient may be in several groups
        whole = msgspec.structs.replace(spanned, grouping=NO_GROUPING)
        total = (await click_counts(connection, whole)).get((), {})
    set_beside(
        counted,
        groups,
        total,
        names=CLICK_COUNTS,
        within={
            "clicked_recipients_delivered": "delivered",
            "converted_recipients_delivered": "delivered",
        },
    )
    return counted


async def click_counts(connection: Connection, question: Question) -> Counted:
    """Clicks on the messages asked for, by the keys asked for (of FUNNEL_KEYS), under the names of
    CLICK_COUNTS.

    `clicks` are requests for a link, `clicked_recipients` distinct numbers with a human click.
    `…_delivered` are those on messages with a delivery receipt. A click counts whenever it comes:
    it belongs to the message, not to the day.

    `conversions` have a click of a person that counts; others are `conversions_without_click`.
    `converted_recipients` are distinct numbers with a conversion and a human click.
    """
    keys = question.grouping.keys
    records = await connection.fetch(
        _SQL["click_counts"],
        id_at(question.since),
        id_at(question.until),
        ClickClass.HUMAN,
        question.account,
        *(key in keys for key in FUNNEL_KEYS),
    )
    found: Counted = {}
    for record in records:
        key: Key = tuple(record[key] for key in keys)
        found[key] = {name: record[name] for name in CLICK_COUNTS}
    return found


def funnel_rates(
    counts: Mapping[str, int], thresholds: Mapping[str, Threshold] = NO_THRESHOLDS
) -> dict[str, Rate]:
    """The rates of dlr.rates, and four more.

    - ctr_delivered = human_clicks_delivered / delivered. It is clicks per message, may exceed 1,
      and so has no bounds.
    - uctr_delivered = clicked_recipients_delivered / delivered, with bounds.
    - cvr_click = converted_recipients / clicked_recipients, with bounds.
    - cvr_delivered = converted_recipients_delivered / delivered, with bounds.
    """
    rates = delivery_rates(counts, thresholds)
    delivered, clicks = counts["delivered"], counts["human_clicks_delivered"]
    value = clicks / delivered if delivered else None
    rates["ctr_delivered"] = Rate(clicks, delivered, value, low=None, high=None)
    rates["uctr_delivered"] = rate_of(
        counts["clicked_recipients_delivered"], delivered, thresholds.get("uctr_delivered")
    )
    rates["cvr_click"] = rate_of(
        counts["converted_recipients"], counts["clicked_recipients"], thresholds.get("cvr_click")
    )
    rates["cvr_delivered"] = rate_of(counts["converted_recipients_delivered"], delivered)
    return rates
