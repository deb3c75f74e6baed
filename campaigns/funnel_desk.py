"""The funnel as a report: the counts of funnel.py under the names that a client knows.

Owns that translation, and says when clicks were lost. Must not count anything itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from campaigns.funnel import FUNNEL_KEYS, funnel, nothing_counted
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
from shortlinks.report import Gap, gaps_since
from storage.ids import id_at
from storage.names import Registry
from storage.pool import Connection


class FunnelReport(Report, kw_only=True):
    """`click_gaps`: times since its beginning in which some clicks were not kept."""

    click_gaps: Sequence[Gap] = ()


class FunnelReports:
    """Reports over the reading connections."""

    funnel_dimensions: Sequence[str] = FUNNEL_KEYS

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], registry: Registry) -> None:
        self._pool = pool
        self._registry = registry

    async def funnel(
        self,
        account: int,
        since: datetime,
        until: datetime,
        group_by: Sequence[str],
        page: GroupPage,
    ) -> FunnelReport:
        async def groups(connection: Connection, asked: Asked) -> list[Placed]:
            found = await funnel(
                connection,
                since_id=id_at(since),
                until_id=id_at(until),
                account=account,
                **asked,
            )
            return [
                (
                    group.place,
                    ReportGroup(group.counts, group.rates, named(group.key, self._registry)),
                )
                for group in found
            ]

        nothing = nothing_counted()
        async with snapshot(self._pool) as connection:
            counted = await groups_and_total(
                connection, groups, group_by, page, Figures(nothing.counts, nothing.rates)
            )
            return FunnelReport(*counted, click_gaps=await gaps_since(connection, since))
