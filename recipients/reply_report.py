"""Reply rates: which share of the delivered messages was answered, with what, and complained of.

Owns the counting of replies and the formulas. What is sent and delivered is counted by
dlr/counting.py, what a page of groups is stands in dlr/report_desk.py. Must not change anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import asyncpg

from dlr.counting import Told, set_beside, told
from dlr.grouping import Names
from dlr.rates import NO_THRESHOLDS, Formula, Rate, rates_of
from dlr.report import Counted
from dlr.report_desk import Asked, GroupPage, Report, paged, question_of, snapshot
from dlr.thresholds import Threshold
from recipients.replies import ReplyClass
from storage import sql
from storage.ids import id_at
from storage.pool import Connection

_SQL = sql.load("recipients")

REPLY_KEYS = ("category", "campaign", "variant", "sender", "connector")
CLASSES = tuple(kind.value for kind in ReplyClass)
REPLIES = (
    "replies", *CLASSES, "opt_outs_by_page", "complaints", "unsubscribed_sent",
    "unsubscribed_delivered", "replied_delivered",
    *(f"{kind}_delivered" for kind in CLASSES), "complained_delivered",
)  # fmt: skip
COUNTS = ("sent", "delivered", *REPLIES)
_WITHIN: Mapping[str, str] = MappingProxyType(
    {"unsubscribed_sent": "sent"}
    | {name: "delivered" for name in REPLIES if name.endswith("_delivered")}
)

# `…_delivered`: of the delivered messages those that were answered with it, however often. Who opts
# out on a message's page has not answered it, and unsubscribes all the same.
REPLY_FORMULAS: Mapping[str, Formula] = MappingProxyType(
    {
        "reply_rate": Formula(("replied_delivered",), ("delivered",)),
        **{
            f"reply_rate_{kind}": Formula((f"{kind}_delivered",), ("delivered",))
            for kind in CLASSES
        },
        "unsubscribe_rate_sent": Formula(("unsubscribed_sent",), ("sent",)),
        "unsubscribe_rate_delivered": Formula(("unsubscribed_delivered",), ("delivered",)),
        "complaint_rate": Formula(("complained_delivered",), ("delivered",)),
    }
)


def reply_rates(
    counts: Mapping[str, int], thresholds: Mapping[str, Threshold] = NO_THRESHOLDS
) -> dict[str, Rate]:
    """Every rate of REPLY_FORMULAS."""
    return rates_of(REPLY_FORMULAS, counts, thresholds)


class ReplyReports:
    """Implements ReplyReporter over the reading connections."""

    reply_dimensions: Sequence[str] = REPLY_KEYS

    def __init__(
        self,
        pool: asyncpg.Pool[asyncpg.Record],
        names: Names,
        thresholds: Mapping[str, Threshold],
    ) -> None:
        self._pool = pool
        self._names = names
        self._thresholds = thresholds

    async def replies(self, asked: Asked, page: GroupPage) -> Report:
        """Messages that were answered and complained of, beside what was sent and delivered."""
        async with snapshot(self._pool) as connection:
            counted = await told(connection, question_of(asked))
            groups = await _reply_counts(connection, asked, counted)
        set_beside(counted, groups, _sum_of(groups), names=REPLIES, within=_WITHIN)
        for counts in (*counted.groups.values(), counted.total):
            for name in set(counts) - set(COUNTS):
                del counts[name]
        return paged(
            counted,
            asked.group_by,
            page,
            self._names,
            lambda _, counts: reply_rates(counts, self._thresholds),
        )


async def _reply_counts(connection: Connection, asked: Asked, counted: Told) -> Counted:
    keys = asked.group_by
    records = await connection.fetch(
        _SQL["reply_counts"],
        id_at(counted.since),
        id_at(counted.until),
        asked.account,
        *(key in keys for key in REPLY_KEYS),
    )
    return {
        tuple(record[key] for key in keys): {name: record[name] for name in REPLIES}
        for record in records
    }


def _sum_of(groups: Counted) -> Mapping[str, int]:
    """A reply and its message are in one group."""
    return {name: sum(counts[name] for counts in groups.values()) for name in REPLIES}
