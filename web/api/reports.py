"""The endpoints for reports.

Owns which question each asks, and how its answer goes out. Must not count: figures come through
services.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import msgspec
from aiohttp import web
from msgspec import UNSET

from campaigns.funnel_desk import FunnelReport
from dlr.report_desk import Asked, GroupPage, Report
from web.api.report_answers import (
    FailureReport,
    LatencyReport,
    ReportAnswer,
    csv_response,
    failure_report,
    failure_rows,
    group_rows,
    latency_report,
    latency_rows,
)
from web.api.report_pages import READ, PageReader, time_of_ms
from web.api.report_questions import (
    Faults,
    ReportQuery,
    Span,
    SpanQuery,
    counted,
    shown_until,
    span_of,
    wants_csv,
)
from web.edge.access import Access
from web.edge.endpoints import Answer, Endpoint, Handler
from web.edge.json_answers import json_response
from web.edge.parameters import QueryReader
from web.services import Services

_Query = Callable[[Asked, GroupPage], Awaitable[Report]]


class ReportsApi:
    """Handlers of /v1/reports."""

    def __init__(self, services: Services, access: Access) -> None:
        self._services = services
        self._access = access
        self._pages = PageReader(services, access, ReportQuery)
        self._span_query = QueryReader(SpanQuery)

    def routes(self) -> list[Endpoint]:
        """The endpoints, for server.py to mount."""
        reports = self._services.reports
        return [
            _report_at(
                "/v1/reports/delivery",
                self.delivery,
                "Outcomes of the account's messages",
                ReportAnswer,
                reports.delivery_dimensions,
            ),
            _report_at(
                "/v1/reports/funnel",
                self.funnel,
                "From accepted to clicked by a person",
                ReportAnswer,
                self._services.funnels.funnel_dimensions,
            ),
            _report_at(
                "/v1/reports/replies",
                self.replies,
                "Which share of the delivered messages was answered, with what, and complained of",
                ReportAnswer,
                self._services.replies.reply_dimensions,
            ),
            _report_at(
                "/v1/reports/failures",
                self.failures,
                "What the carriers said of messages that failed",
                FailureReport,
            ),
            _report_at(
                "/v1/reports/latency",
                self.latency,
                "Seconds to the carrier's answer, and to the receipt",
                LatencyReport,
            ),
        ]

    async def delivery(self, request: web.Request) -> web.Response:
        """Outcomes of the account's messages."""
        reports = self._services.reports
        return await self._report(request, reports.delivery, reports.delivery_dimensions)

    async def funnel(self, request: web.Request) -> web.Response:
        """From accepted to clicked by a person."""
        funnels = self._services.funnels
        return await self._report(request, funnels.funnel, funnels.funnel_dimensions)

    async def replies(self, request: web.Request) -> web.Response:
        """Replies by class, opt-outs and complaints."""
        replies = self._services.replies
        return await self._report(request, replies.replies, replies.reply_dimensions)

    async def failures(self, request: web.Request) -> web.Response:
        """What the carriers said of messages that failed."""
        asked, span, as_csv = await self._spanned(request)
        found = await counted(self._services.reports.failures(asked))
        answer = failure_report(found, shown_until(found.until, span))
        if as_csv:
            return csv_response(failure_rows(answer), answer, {})
        return json_response(answer)

    async def latency(self, request: web.Request) -> web.Response:
        """Seconds to the carrier's answer, and to the receipt."""
        asked, span, as_csv = await self._spanned(request)
        found = await counted(self._services.reports.latency(asked))
        answer = latency_report(found, shown_until(found.until, span))
        if as_csv:
            return csv_response(latency_rows(answer), answer, {})
        return json_response(answer)

    async def _spanned(self, request: web.Request) -> tuple[Asked, Span, bool]:
        """Whose messages of which span, and whether as CSV."""
        key = await self._access.key(request, READ)
        now = time_of_ms(self._services.wall_ms())
        query = self._span_query.read(request, Faults((), now))
        span = span_of(query.since, query.until, now)
        asked = Asked(key.account, span.since, span.reach, now)
        return asked, span, wants_csv(request, query.format)

    async def _report(
        self, request: web.Request, query: _Query, dimensions: Sequence[str]
    ) -> web.Response:
        wanted = await self._pages.read(request, dimensions)
        report = await counted(query(wanted.asked, wanted.groups))
        answer = self._answer(wanted.asked, wanted.span, report, wanted.more(report.more_after))
        headers = wanted.page.headers(answer.next_cursor)
        if wanted.as_csv:
            return csv_response(group_rows(answer), answer, headers)
        return json_response(answer, headers=headers)

    def _answer(
        self, asked: Asked, span: Span, report: Report, next_cursor: str | None
    ) -> ReportAnswer:
        rates = report.total.rates
        return ReportAnswer(
            since=report.since,
            until=shown_until(report.until, span),
            zone=asked.zone.key,
            as_of=report.as_of,
            provisional=report.provisional,
            basis=report.basis,
            group_by=tuple(asked.group_by),
            groups=report.groups,
            total=report.total,
            thresholds={
                name: threshold
                for name, threshold in self._services.thresholds.items()
                if name in rates
            },
            next_cursor=next_cursor,
            click_gaps=report.click_gaps if isinstance(report, FunnelReport) else UNSET,
        )


def _report_at(
    path: str,
    handler: Handler,
    summary: str,
    answer: type[msgspec.Struct],
    dimensions: Sequence[str] = (),
) -> Endpoint:
    groups = ("unknown_group", "unknown_zone", "zone_not_quarterly", "span_too_large")
    return Endpoint(
        method="GET",
        path=path,
        handler=handler,
        summary=summary,
        description=f"Dimensions of `group_by`: {', '.join(dimensions)}." if dimensions else "",
        scope=READ,
        query=ReportQuery if dimensions else SpanQuery,
        answers={200: Answer(answer, headers={"Link": "The next page."}) if dimensions else answer},
        problems=("report_too_slow", "bad_span", "too_many_rows", *(groups if dimensions else ())),
    )
