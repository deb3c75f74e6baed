"""Reports: always the same figures, and what they were asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from campaigns.funnel_desk import FunnelReport, FunnelReports
from dlr.rates import delivery_rates
from dlr.report import Latency
from dlr.report_desk import (
    DeliveryReports,
    FailedParts,
    Failures,
    Figures,
    GroupPage,
    Latencies,
    Report,
    ReportGroup,
)
from recipients.reply_report import ReplyReports
from tests.web.rooms.forced import Forced


class Reports(Forced):
    """Implements DeliveryReporter, FunnelReporter and ReplyReporter."""

    delivery_dimensions = DeliveryReports.delivery_dimensions
    funnel_dimensions = FunnelReports.funnel_dimensions
    reply_dimensions = ReplyReports.reply_dimensions

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[object, ...]] = []
        self.pages_asked: list[GroupPage] = []
        self.more_groups: tuple[str, ...] | None = None

    async def delivery(
        self,
        account: int,
        since: datetime,
        until: datetime,
        group_by: Sequence[str],
        page: GroupPage,
    ) -> Report:
        self.fail()
        self.pages_asked.append(page)
        self.asked.append((account, since, until, tuple(group_by)))
        counts = {"accepted": 4, "sent": 4, "delivered": 3}
        rates = delivery_rates(counts)
        groups = [ReportGroup(counts, rates, {name: "x"}) for name in group_by]
        return Report(groups, Figures(counts, rates), self.more_groups)

    async def funnel(
        self,
        account: int,
        since: datetime,
        until: datetime,
        group_by: Sequence[str],
        page: GroupPage,
    ) -> FunnelReport:
        found = await self.delivery(account, since, until, group_by, page)
        return FunnelReport(found.groups, found.total, found.more_after)

    async def replies(
        self,
        account: int,
        since: datetime,
        until: datetime,
        group_by: Sequence[str],
        page: GroupPage,
    ) -> Report:
        return await self.delivery(account, since, until, group_by, page)

    async def failures(self, account: int, since: datetime, until: datetime) -> Failures:
        self.fail()
        self.asked.append((account, since, until, ()))
        told = [FailedParts("carrier-a", "undelivered", "number_unknown", "MK:0001", 3)]
        return Failures(told, 4, complete=False)

    async def latency(self, account: int, since: datetime, until: datetime) -> Latencies:
        self.fail()
        self.asked.append((account, since, until, ()))
        return Latencies([Latency("otp", 7, 0.01, 0.02, 0.03)], [])
