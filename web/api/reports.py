"""The endpoints for reports.

Owns their query parameters and JSON. Must not count: figures come through services.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, NamedTuple

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta, UnsetType

from campaigns.funnel_desk import FunnelReport
from dlr.report_desk import Figures, GroupPage, Latencies, Report, ReportGroup
from messages.words import ReasonName, StatusName
from shortlinks.report import Gap
from storage.ids import AHEAD_MAX
from web.edge.access import Access
from web.edge.cursors import LIMIT_MAX, PageQuery
from web.edge.endpoints import Answer, Endpoint, Handler
from web.edge.json_answers import json_response
from web.edge.parameters import QueryReader, invalid, nearest
from web.services import Services

READ = "reports:read"
SPAN_DEFAULT = timedelta(hours=24)
SPAN_MAX = timedelta(days=366)
GROUP_BY_MAX = 4

_Query = Callable[[int, datetime, datetime, Sequence[str], GroupPage], Awaitable[Report]]


_TIME = Meta(tz=True)
_Since = Annotated[
    Annotated[datetime, _TIME] | None,
    Meta(description=f"Messages created from then on, at most {SPAN_MAX.days} days ago."),
]
_Until = Annotated[
    Annotated[datetime, _TIME] | None, Meta(description="Messages created before; else now.")
]


class SpanQuery(msgspec.Struct, kw_only=True):
    """The span is [since, until); without one, the last 24 hours."""

    since: _Since = None
    until: _Until = None


class ReportQuery(PageQuery, kw_only=True):
    """A span, what to tell apart, and which page of the groups."""

    since: _Since = None
    until: _Until = None
    limit: Annotated[int, Meta(ge=1, le=LIMIT_MAX, description="Groups in one page.")] = LIMIT_MAX
    group_by: Annotated[
        str, Meta(description=f"Up to {GROUP_BY_MAX} different dimensions, with commas between.")
    ] = ""


class ReportAnswer(msgspec.Struct):
    """A report and the question it answers: messages created in [since, until). Groups come in the
    order of their keys, each on one page; `total` is about all groups, on every page. Pages share
    the span of the first one. While there are more groups, `next_cursor` says where to go on.
    `click_gaps`, of the funnel: when short links redirected and their clicks could not be kept, so
    that what is counted of them is too low.
    """

    since: datetime
    until: datetime
    group_by: tuple[str, ...]
    groups: Sequence[ReportGroup]
    total: Figures
    next_cursor: str | None
    click_gaps: Sequence[Gap] | UnsetType = UNSET


class FailureCount(msgspec.Struct):
    """What parts failed of at one connector. `carrier_code` is the carrier's own; `parts` counts
    what a phone would have got, not messages.
    """

    connector: str | None
    status: StatusName
    reason: ReasonName
    carrier_code: str | None
    parts: int


class FailureReport(msgspec.Struct):
    """What parts of the messages created in [since, until) failed of, in the carriers' own words;
    the most frequent first, at most 200 codes. `parts` counts those of all codes; `complete` says
    whether all codes are told.
    """

    since: datetime
    until: datetime
    failures: Sequence[FailureCount]
    parts: int
    complete: bool


class LatencyReport(Latencies):
    """How long the messages created in [since, until) took to the carrier, and the receipts that
    decided about them from there.
    """

    since: datetime
    until: datetime


class ReportsApi:
    """Handlers of /v1/reports."""

    def __init__(self, services: Services, access: Access) -> None:
        self._services = services
        self._access = access
        self._query = QueryReader(ReportQuery)
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
                "What the carriers said of parts that failed",
                FailureReport,
            ),
            _report_at(
                "/v1/reports/latency",
                self.latency,
                "Seconds to the carrier, and from there to the receipt",
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
        """What the carriers said of parts that failed."""
        account, span = await self._asked(request)
        found = await self._services.reports.failures(account, span.since, span.reach)
        failures = [FailureCount(*msgspec.structs.astuple(each)) for each in found.failures]
        return json_response(
            FailureReport(span.since, span.until, failures, found.parts, found.complete)
        )

    async def latency(self, request: web.Request) -> web.Response:
        """Seconds to the carrier, and from there to the receipt."""
        account, span = await self._asked(request)
        took = await self._services.reports.latency(account, span.since, span.reach)
        return json_response(
            LatencyReport(took.accepted_to_submit, took.submit_to_receipt, span.since, span.until)
        )

    async def _asked(self, request: web.Request) -> tuple[int, _Span]:
        """Whose messages of which span."""
        key = await self._access.key(request, READ)
        asked = self._span_query.read(request)
        return key.account, _span(asked.since, asked.until, _time(self._services.wall_ms()))

    async def _report(
        self, request: web.Request, query: _Query, dimensions: Sequence[str]
    ) -> web.Response:
        key = await self._access.key(request, READ)
        asked = self._query.read(request)
        group_by = _grouping(asked.group_by, dimensions)
        page = self._services.cursors.page(request, key.account, asked)
        # The first page decides what "now" is, so that all pages are about one span.
        now_ms, *after = page.after or (self._services.wall_ms(),)
        span = _span(asked.since, asked.until, _time(int(now_ms)))
        wanted = GroupPage(page.limit, tuple(map(str, after)))
        report = await query(key.account, span.since, span.reach, group_by, wanted)
        more = None if report.more_after is None else (now_ms, *report.more_after)
        next_cursor = page.more(more)
        answer = ReportAnswer(
            span.since,
            span.until,
            group_by,
            report.groups,
            report.total,
            next_cursor,
            report.click_gaps if isinstance(report, FunnelReport) else UNSET,
        )
        return json_response(answer, headers=page.headers(next_cursor))


class _Span(NamedTuple):
    """A span. Ids are counted up to `reach`: it is beyond `until` where that is now, as ids may be
    ahead.
    """

    since: datetime
    until: datetime
    reach: datetime


def _time(wall_ms: int) -> datetime:
    return datetime.fromtimestamp(wall_ms / 1000, UTC)


def _span(asked_since: datetime | None, asked_until: datetime | None, now: datetime) -> _Span:
    """The span asked for. Raises ProblemError 422 that names the parameter."""
    until = (asked_until or now).astimezone(UTC)
    since = (asked_since or until - SPAN_DEFAULT).astimezone(UTC)
    if since >= until:
        raise invalid("parameter_invalid", "since", "not before until")
    if until - since > SPAN_MAX:
        raise invalid("parameter_invalid", "since", f"more than {SPAN_MAX.days} days before until")
    return _Span(since, until, until if asked_until is not None else until + AHEAD_MAX)


def _grouping(text: str, dimensions: Sequence[str]) -> tuple[str, ...]:
    names = tuple(text.split(",")) if text else ()
    for name in names:
        if name not in dimensions:
            fault = f"no dimension {name!r}{nearest(name, dimensions)}"
            raise invalid("parameter_invalid", "group_by", fault)
    if len(set(names)) < len(names) or len(names) > GROUP_BY_MAX:
        fault = f"not up to {GROUP_BY_MAX} different dimensions"
        raise invalid("parameter_invalid", "group_by", fault)
    return names


def _report_at(
    path: str,
    handler: Handler,
    summary: str,
    answer: type[msgspec.Struct],
    dimensions: Sequence[str] = (),
) -> Endpoint:
    return Endpoint(
        method="GET",
        path=path,
        handler=handler,
        summary=summary,
        description=f"Dimensions of `group_by`: {', '.join(dimensions)}." if dimensions else "",
        scope=READ,
        query=ReportQuery if dimensions else SpanQuery,
        answers={200: Answer(answer, headers={"Link": "The next page."}) if dimensions else answer},
        problems=("report_too_slow",),
    )
