"""Reports: always the same figures, and what they were asked for."""

from __future__ import annotations

import msgspec

from campaigns.funnel_desk import FunnelReport, FunnelReports
from dlr.rates import delivery_rates
from dlr.report_desk import (
    AboutFields,
    Asked,
    DeliveryReports,
    FailedMessages,
    Failures,
    Figures,
    GroupPage,
    Latencies,
    Latency,
    Report,
    ReportGroup,
)
from dlr.thresholds import thresholds_of
from recipients.reply_report import ReplyReports
from tests.web.rooms.forced import Forced


class Reports(Forced):
    """Implements DeliveryReporter, FunnelReporter and ReplyReporter."""

    delivery_dimensions = DeliveryReports.delivery_dimensions
    funnel_dimensions = FunnelReports.funnel_dimensions
    reply_dimensions = ReplyReports.reply_dimensions

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Asked] = []
        self.pages_asked: list[GroupPage] = []
        self.group_name = "x"
        self.refusal: Exception | None = None  # of one question; `failure` is of everything
        self.more_groups: tuple[str, ...] | None = None

    async def delivery(self, asked: Asked, page: GroupPage) -> Report:
        self.fail()
        if self.refusal is not None:
            raise self.refusal
        self.pages_asked.append(page)
        self.asked.append(asked)
        counts = {"accepted": 4, "sent": 4, "delivered": 3}
        rates = delivery_rates(counts, thresholds_of())
        groups = [ReportGroup(counts, rates, {name: self.group_name}) for name in asked.group_by]
        return Report(
            groups=groups,
            total=Figures(counts, rates),
            more_after=self.more_groups,
            **_about(asked),
        )

    async def funnel(self, asked: Asked, page: GroupPage) -> FunnelReport:
        found = await self.delivery(asked, page)
        return FunnelReport(**msgspec.structs.asdict(found))

    async def replies(self, asked: Asked, page: GroupPage) -> Report:
        return await self.delivery(asked, page)

    async def failures(self, asked: Asked) -> Failures:
        self.fail()
        self.asked.append(asked)
        told = [FailedMessages("carrier-a", "undelivered", "number_unknown", "MK:0001", 3)]
        return Failures(failures=told, messages=4, complete=False, **_about(asked))

    async def latency(self, asked: Asked) -> Latencies:
        self.fail()
        self.asked.append(asked)
        return Latencies(answer=[Latency("otp", 7, 0.01, 0.02, 0.03)], receipt=[], **_about(asked))


def _about(asked: Asked) -> AboutFields:
    return AboutFields(
        since=asked.since, until=asked.until, as_of=asked.now, provisional=True, basis="rollup"
    )
