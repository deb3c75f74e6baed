"""The funnel as a report: the counts of funnel.py under the names that a client knows.

Owns that translation, and says when clicks were lost. Must not count anything itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import asyncpg
import msgspec

from campaigns.funnel import FUNNEL_KEYS, funnel, funnel_rates
from dlr.grouping import Names
from dlr.report_desk import Asked, GroupPage, Report, paged, question_of, snapshot
from dlr.thresholds import Threshold
from shortlinks.report import Gap, gaps_since


class FunnelReport(Report, kw_only=True):
    """`click_gaps`: times since its beginning in which some clicks were not kept."""

    click_gaps: Sequence[Gap] = ()


class FunnelReports:
    """Reports over the reading connections."""

    funnel_dimensions: Sequence[str] = FUNNEL_KEYS

    def __init__(
        self,
        pool: asyncpg.Pool[asyncpg.Record],
        names: Names,
        thresholds: Mapping[str, Threshold],
    ) -> None:
        self._pool = pool
        self._names = names
        self._thresholds = thresholds

    async def funnel(self, asked: Asked, page: GroupPage) -> FunnelReport:
        """Counts by outcome, and clicks."""
        async with snapshot(self._pool) as connection:
            counted = await funnel(connection, question_of(asked))
            gaps = await gaps_since(connection, counted.since)
        report = paged(
            counted,
            asked.group_by,
            page,
            self._names,
            lambda _, counts: funnel_rates(counts, self._thresholds),
        )
        return FunnelReport(**msgspec.structs.asdict(report), click_gaps=gaps)
