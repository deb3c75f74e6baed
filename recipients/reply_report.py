"""Reply rates: which share of the delivered messages was answered, with what, and complained of.

Owns the counting and the formulas. What a rate is stands in dlr/rates.py, what a page of groups is
in dlr/report_desk.py. Must not change anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

import asyncpg

from dlr.rates import Formula, Rate, rates_of
from dlr.report_desk import (
    Asked,
    Figures,
    GroupPage,
    Placed,
    Report,
    ReportGroup,
    groups_and_total,
    named,
    snapshot,
)
from recipients.replies import ReplyClass
from storage import sql
from storage.categories import Category
from storage.ids import id_at
from storage.names import Registry
from storage.pool import Connection

_SQL = sql.load("recipients")

REPLY_KEYS = ("category", "campaign", "variant", "sender", "connector")
CLASSES = tuple(kind.value for kind in ReplyClass)
COUNTS = (
    "sent", "delivered", "replies", *CLASSES, "complaints", "opt_out_sent", "replied_delivered",
    *(f"{kind}_delivered" for kind in CLASSES), "complained_delivered",
)  # fmt: skip

# `…_delivered`: of the delivered messages those that were answered with it, however often.
REPLY_FORMULAS: Mapping[str, Formula] = MappingProxyType(
    {
        "reply_rate": Formula(("replied_delivered",), ("delivered",)),
        **{
            f"reply_rate_{kind}": Formula((f"{kind}_delivered",), ("delivered",))
            for kind in CLASSES
        },
        "unsubscribe_rate_sent": Formula(("opt_out_sent",), ("sent",)),
        "unsubscribe_rate_delivered": Formula(("opt_out_delivered",), ("delivered",)),
        "complaint_rate": Formula(("complained_delivered",), ("delivered",)),
    }
)


def reply_rates(counts: Mapping[str, int]) -> dict[str, Rate]:
    """Every rate of REPLY_FORMULAS."""
    return rates_of(REPLY_FORMULAS, counts)


class ReplyReports:
    """Implements ReplyReporter over the reading connections."""

    reply_dimensions: Sequence[str] = REPLY_KEYS

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], registry: Registry) -> None:
        self._pool = pool
        self._registry = registry

    async def replies(
        self,
        account: int,
        since: datetime,
        until: datetime,
        group_by: Sequence[str],
        page: GroupPage,
    ) -> Report:
        async def groups(connection: Connection, asked: Asked) -> list[Placed]:
            keys = asked["group_by"]
            rows = await connection.fetch(
                _SQL["reply_counts"],
                id_at(since),
                id_at(until),
                account,
                *(key in keys for key in REPLY_KEYS),
                [REPLY_KEYS.index(key) + 1 for key in keys],
                asked.get("after"),
                asked.get("limit"),
            )
            return [self._placed(row, keys) for row in rows]

        nothing = dict.fromkeys(COUNTS, 0)
        async with snapshot(self._pool) as connection:
            return Report(
                *await groups_and_total(
                    connection, groups, group_by, page, Figures(nothing, reply_rates(nothing))
                )
            )

    def _placed(self, row: asyncpg.Record, keys: Sequence[str]) -> Placed:
        counts = {name: row[name] for name in COUNTS}
        key = {name: row[name] for name in keys}
        if key.get("category") is not None:
            key["category"] = Category(key["category"]).label
        group = ReportGroup(counts, reply_rates(counts), named(key, self._registry))
        return tuple(row["place"]), group
