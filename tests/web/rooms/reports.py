"""Reports: always the same figures, and what they were asked for."""

from __future__ import annotations

import msgspec

from campaigns.click_desk import (
    ClickFigures,
    ClickGroup,
    ClickReport,
    ClickReports,
    ClickWish,
    figures_of,
)
from campaigns.clicks import COUNTS, Counted, FirstClick
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
    """Implements DeliveryReporter, FunnelReporter, ClickReporter and ReplyReporter."""

    delivery_dimensions = DeliveryReports.delivery_dimensions
    funnel_dimensions = FunnelReports.funnel_dimensions
    click_dimensions = ClickReports.click_dimensions
    reply_dimensions = ReplyReports.reply_dimensions

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Asked] = []
        self.pages_asked: list[GroupPage] = []
        self.wishes: list[ClickWish] = []
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

    async def clicks(self, asked: Asked, wish: ClickWish, page: GroupPage) -> ClickReport:
        self.fail()
        self.pages_asked.append(page)
        self.wishes.append(wish)
        found = Counted(
            dict.fromkeys(COUNTS, 0) | {"delivered": 4, "uv": 2},
            FirstClick(2, 10.0, 20.0, 20.0),
            [2],
            {"CNY": 129_900_000},
            [2, 1][: len(wish.steps)],
        )
        figures = figures_of(wish, found, thresholds_of())
        return ClickReport(
            groups=[ClickGroup(**figures, key=dict.fromkeys(asked.group_by, self.group_name))],
            total=ClickFigures(**figures),
            click_gaps=[],
            more_after=self.more_groups,
        )

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
