"""The endpoints for reports, and for the state of the connectors.

Owns their query parameters and JSON. Must not count: figures come through services.py.
"""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from aiohttp import web

from gateway.accept.models import FieldError
from gateway.web.access import Access
from gateway.web.problems import ProblemError
from gateway.web.services import ConnectorView, Figures, Report, ReportGroup, Services

READ = "reports:read"
SPAN_DEFAULT = timedelta(hours=24)
SPAN_MAX = timedelta(days=366)
GROUP_BY_MAX = 4
YEAR_MIN, YEAR_MAX = 1970, 9999
PARAMETERS = ("since", "until", "group_by")

_Query = Callable[[int, datetime, datetime, Sequence[str]], Awaitable[Report]]


class ReportAnswer(msgspec.Struct):
    """A report and the question it answers: messages created in [since, until)."""

    since: datetime
    until: datetime
    group_by: tuple[str, ...]
    groups: Sequence[ReportGroup]
    total: Figures


class ConnectorList(msgspec.Struct):
    """Every connector of this process."""

    data: Sequence[ConnectorView]
    next_cursor: str | None = None


class ReportsApi:
    """Handlers of /v1/reports and /v1/connectors."""

    def __init__(self, services: Services, access: Access) -> None:
        self._services = services
        self._access = access
        self._encoder = msgspec.json.Encoder()

    def routes(self) -> list[web.RouteDef]:
        """What server.py mounts."""
        return [
            web.get("/v1/reports/delivery", self.delivery),
            web.get("/v1/reports/funnel", self.funnel),
            web.get("/v1/connectors", self.connectors),
        ]

    async def delivery(self, request: web.Request) -> web.Response:
        """Outcomes of the account's messages."""
        reports = self._services.reports
        return await self._report(request, reports.delivery, reports.delivery_dimensions)

    async def funnel(self, request: web.Request) -> web.Response:
        """From accepted to clicked by a person."""
        reports = self._services.reports
        return await self._report(request, reports.funnel, reports.funnel_dimensions)

    async def connectors(self, request: web.Request) -> web.Response:
        """State of the connectors of this process."""
        await self._access.key(request, READ)
        return self._json(ConnectorList(self._services.connectors()))

    async def _report(
        self, request: web.Request, query: _Query, dimensions: Sequence[str]
    ) -> web.Response:
        key = await self._access.key(request, READ)
        now = datetime.fromtimestamp(self._services.wall_ms() / 1000, UTC)
        since, until, group_by = _question(request, now, dimensions)
        report = await query(key.account, since, until, group_by)
        return self._json(ReportAnswer(since, until, group_by, report.groups, report.total))

    def _json(self, value: object) -> web.Response:
        return web.Response(body=self._encoder.encode(value), content_type="application/json")


def _question(
    request: web.Request, now: datetime, dimensions: Sequence[str]
) -> tuple[datetime, datetime, tuple[str, ...]]:
    """The span and the grouping asked for. Raises ProblemError 422 naming the parameter."""
    for name in request.query:
        if name not in PARAMETERS:
            raise _invalid("parameter_unknown", name, f"unknown{_nearest(name, PARAMETERS)}")
        if len(request.query.getall(name)) > 1:
            raise _invalid("parameter_invalid", name, "given twice")
    until = _instant(request, "until", now)
    since = _instant(request, "since", until - SPAN_DEFAULT)
    if since >= until:
        raise _invalid("parameter_invalid", "since", "not before until")
    if until - since > SPAN_MAX:
        raise _invalid("parameter_invalid", "since", f"more than {SPAN_MAX.days} days before until")
    return since, until, _grouping(request.query.get("group_by", ""), dimensions)


def _instant(request: web.Request, name: str, default: datetime) -> datetime:
    text = request.query.get(name)
    if text is None:
        return default
    try:
        moment = datetime.fromisoformat(text)
        # Years 1 and 9999 have instants whose UTC is outside what a datetime can say.
        if moment.tzinfo is not None and YEAR_MIN < moment.year < YEAR_MAX:
            return moment.astimezone(UTC)
    except ValueError:
        pass
    form = "an RFC 3339 time such as 2026-11-22T10:00:00Z; in a URL + is written %2B"
    raise _invalid("parameter_invalid", name, f"not {form}")


def _grouping(text: str, dimensions: Sequence[str]) -> tuple[str, ...]:
    names = tuple(text.split(",")) if text else ()
    for name in names:
        if name not in dimensions:
            raise _invalid(
                "parameter_invalid",
                "group_by",
                f"no dimension {name!r}{_nearest(name, dimensions)}",
            )
    if len(set(names)) < len(names) or len(names) > GROUP_BY_MAX:
        raise _invalid(
            "parameter_invalid", "group_by", f"not up to {GROUP_BY_MAX} different dimensions"
        )
    return names


def _nearest(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name[:100], known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(known)}"


def _invalid(code: str, name: str, fault: str) -> ProblemError:
    detail = f"{name[:100]}: {fault}"
    return ProblemError(code, detail, (FieldError(code, detail, parameter=name[:100]),))
