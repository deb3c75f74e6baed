"""The endpoints for what a link shows: its clicks, and its picture for print.

Owns their answers. Must not count clicks (shortlinks/link_stats.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from io import BytesIO
from types import MappingProxyType
from typing import Annotated, Literal

import msgspec
import segno
from aiohttp import web
from msgspec import Meta

from shortlinks.classify import ClickClass
from shortlinks.link_stats import StatsAsked
from shortlinks.public_desk import PREFIX
from storage.ids import EPOCH
from web.api.links import IN_PATH, ONE, READ, WHAT
from web.edge.access import Access
from web.edge.arguments import not_found, path_id
from web.edge.endpoints import Answer, Endpoint
from web.edge.json_answers import json_response
from web.edge.parameters import QueryReader, invalid
from web.services import Services

SVG = "image/svg+xml"
SPANS_MAX = 1_000
IntervalName = Literal["hour", "day"]
INTERVALS: Mapping[IntervalName, timedelta] = MappingProxyType(
    {"hour": timedelta(hours=1), "day": timedelta(days=1)}
)
SINCE_DAYS = 30


class StatsQuery(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Of which clicks."""

    since: Annotated[
        Annotated[datetime, Meta(tz=True)] | None,
        Meta(description=f"Clicks from then on; by default {SINCE_DAYS} days before `until`."),
    ] = None
    until: Annotated[
        Annotated[datetime, Meta(tz=True)] | None, Meta(description="Until then; by default now.")
    ] = None
    interval: Annotated[
        IntervalName, Meta(description=f"Of UTC; at most {SPANS_MAX} are asked for.")
    ] = "day"


class QrQuery(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How it is drawn."""

    correction: Annotated[
        Literal["L", "M", "Q", "H"], Meta(description="How much of it may be hidden: 7 to 30 %.")
    ] = "M"
    border: Annotated[int, Meta(ge=0, le=20, description="Modules around it.")] = 4


class StatsSpan(msgspec.Struct):
    """A span with a click."""

    since: datetime
    clicks: int
    human_clicks: int


class LinkStatsAnswer(msgspec.Struct, kw_only=True):
    """What a link's clicks amount to. A click is known a second after it."""

    id: str
    object: str = "link_stats"
    since: datetime
    until: datetime
    interval: IntervalName
    clicks: Annotated[int, Meta(description="Of people and machines.")]
    human_clicks: int
    visitors: Annotated[
        int, Meta(description="Different pairs of network and browser among people's clicks.")
    ]
    classes: Annotated[dict[str, int], Meta(description="Clicks by class.")]
    first_click_at: Annotated[datetime | None, Meta(description="Of a person.")]
    last_click_at: Annotated[datetime | None, Meta(description="Of a person.")]
    spans: Annotated[list[StatsSpan], Meta(description="Spans with a click, in order.")]


class LinkViewsApi:
    """Handlers of /v1/links/{id}/stats and /v1/links/{id}/qr."""

    def __init__(self, services: Services, access: Access) -> None:
        self._links = services.links
        self._access = access
        self._stats = QueryReader(StatsQuery)
        self._qr = QueryReader(QrQuery)

    def routes(self) -> list[Endpoint]:
        """What server.py mounts."""
        return [
            Endpoint(
                method="GET",
                path=f"{ONE}/stats",
                handler=self.stats,
                summary="What a link's clicks amount to",
                scope=READ,
                path_parameters=IN_PATH,
                query=StatsQuery,
                answers={200: LinkStatsAnswer},
            ),
            Endpoint(
                method="GET",
                path=f"{ONE}/qr",
                handler=self.qr,
                summary="A link as a QR code",
                scope=READ,
                path_parameters=IN_PATH,
                query=QrQuery,
                answers={200: Answer(str, "A square picture", content_type=SVG)},
            ),
        ]

    async def stats(self, request: web.Request) -> web.Response:
        """Counted now."""
        key = await self._access.key(request, READ)
        asked = self._asked(self._stats.read(request))
        link_id = path_id(request, PREFIX, WHAT)
        found = await self._links.stats(key.account, link_id, asked)
        if found is None:
            raise not_found(WHAT)
        return json_response(
            LinkStatsAnswer(
                id=request.match_info["id"],
                since=asked.since,
                until=asked.until,
                interval=next(name for name, each in INTERVALS.items() if each == asked.interval),
                clicks=found.clicks,
                human_clicks=found.classes[ClickClass.HUMAN],
                visitors=found.visitors,
                classes={each.label: clicks for each, clicks in found.classes.items()},
                first_click_at=found.first_at,
                last_click_at=found.last_at,
                spans=[
                    StatsSpan(span.since, span.clicks, span.human_clicks) for span in found.spans
                ],
            )
        )

    async def qr(self, request: web.Request) -> web.Response:
        """Of the whole address, with its scheme: cameras ask for one."""
        key = await self._access.key(request, READ)
        query = self._qr.read(request)
        found = await self._links.one(key.account, path_id(request, PREFIX, WHAT))
        if found is None:
            raise not_found(WHAT)
        url = self._links.rules.short_url(found.account, found.domain, found.code)
        return web.Response(
            body=picture(url if "://" in url else f"https://{url}", query),
            content_type=SVG,
        )

    def _asked(self, query: StatsQuery) -> StatsAsked:
        until = self._links.now() if query.until is None else query.until
        since = until - timedelta(days=SINCE_DAYS) if query.since is None else query.since
        since, interval = max(since, EPOCH), INTERVALS[query.interval]
        if since >= until:
            raise invalid("parameter_invalid", "since", "not before until")
        if (until - since) / interval > SPANS_MAX:
            what = f"{query.interval}s that are more than {SPANS_MAX}: choose a shorter time"
            raise invalid("parameter_invalid", "interval", what)
        return StatsAsked(since, until, interval)


def picture(url: str, query: QrQuery) -> bytes:
    """The QR code of a URL, as SVG of one unit a module."""
    octets = BytesIO()
    code = segno.make_qr(url, error=query.correction, boost_error=False)
    code.save(octets, kind="svg", border=query.border, light="white", xmldecl=True)
    return octets.getvalue()
