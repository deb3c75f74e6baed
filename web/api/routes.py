"""The endpoint that tells routes: what each may carry, and how its connectors fared.

Owns its JSON. Must not choose a route (dispatch/routes), nor count messages: reports do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from dlr.rates import Rate, rate_of
from dlr.report_desk import Asked, GroupPage, Report
from web.edge.access import Access
from web.edge.endpoints import Endpoint
from web.edge.json_answers import json_response
from web.health import CONNECTORS_READ
from web.operator_services import RouteLeg, RouteMatch, RouteState
from web.services import Services

SPAN = timedelta(days=7)
CONNECTOR, COUNTRY = "connector", "country"
GROUPS = 10_000  # connectors by countries; there are 250 countries


class RouteConnector(msgspec.Struct):
    """A connector of a route. `delivery` is of this account's messages of the last seven days, over
    any route: delivered of sent. `countries` are where they went, the most frequent first.
    """

    name: str
    weight: Annotated[int | None, Meta(description="Its share; null where order decides.")]
    up: bool
    capacity: Annotated[
        float | None, Meta(description="Parts a second in this process; null: no limit is set.")
    ]
    delivery: Rate
    countries: Sequence[str]


class RouteResource(msgspec.Struct, kw_only=True):
    """A rule of routing; the first that matches decides."""

    route: Annotated[int, Meta(description="Its place, from 0.")]
    object: str = "route"
    match: RouteMatch
    capacity: Annotated[
        float | None,
        Meta(
            description="Parts a second at most: of connectors that share it, so that none has "
            "more than its own; else of the first that is up. The route's own rate bounds it. "
            "Null: no limit is set."
        ),
    ]
    rate: Annotated[str | None, Meta(description="The route's own rate.")]
    connectors: Sequence[RouteConnector]


class RouteList(msgspec.Struct):
    """Every route, in the order in which they are asked."""

    data: Sequence[RouteResource]
    since: datetime
    as_of: datetime
    next_cursor: str | None = None


class RoutesApi:
    """The handler of /v1/routes."""

    def __init__(self, services: Services, access: Access) -> None:
        self._services = services
        self._access = access

    def routes(self) -> list[Endpoint]:
        """The endpoints, for server.py to mount."""
        return [
            Endpoint(
                method="GET",
                path="/v1/routes",
                handler=self.listed,
                summary="Routes with their capacity, and how their connectors delivered",
                description="Deliveries are counted over the last seven days, from the sums that "
                "reports use, with bounds of 95 %. Capacities are those of this process now.",
                scope=CONNECTORS_READ,
                answers={200: RouteList},
                problems=("report_too_slow",),
            )
        ]

    async def listed(self, request: web.Request) -> web.Response:
        """All routes."""
        key = await self._access.key(request, CONNECTORS_READ)
        now = datetime.fromtimestamp(self._services.wall_ms() / 1000, UTC)
        asked = Asked(key.account, now - SPAN, now, now, (CONNECTOR, COUNTRY))
        report = await self._services.reports.delivery(asked, GroupPage(GROUPS))
        fared = _fared(report)
        return json_response(
            RouteList(
                [
                    _resource(index, state, fared)
                    for index, state in enumerate(self._services.routes())
                ],
                report.since,
                report.as_of,
            )
        )


def capacity(state: RouteState) -> float | None:
    """Parts a second that the route can carry now. None: nothing limits it.

    Connectors that share get as much as lets none of them have more than it may carry.
    """
    up = [leg for leg in state.legs if leg.up]
    if not any(leg.weight for leg in up):
        up = up[:1]
    weights = sum(leg.weight for leg in up) or 1
    limits = [leg.capacity * weights / (leg.weight or 1) for leg in up if leg.capacity is not None]
    if not up:
        limits = [0.0]
    if state.per_second is not None:
        limits.append(state.per_second)
    return min(limits, default=None)


class _Fared(msgspec.Struct):
    """What became of a connector's messages."""

    delivered: int = 0
    sent: int = 0
    countries: dict[str, int] = msgspec.field(default_factory=dict)


def _fared(report: Report) -> Mapping[str, _Fared]:
    found: dict[str, _Fared] = defaultdict(_Fared)
    for group in report.groups:
        connector, country = group.key[CONNECTOR], group.key[COUNTRY]
        if connector is None:
            continue
        one = found[connector]
        sent = group.counts.get("sent", 0)
        one.sent += sent
        one.delivered += group.counts.get("delivered", 0)
        if country is not None and sent:
            one.countries[country] = one.countries.get(country, 0) + sent
    return found


def _resource(index: int, state: RouteState, fared: Mapping[str, _Fared]) -> RouteResource:
    return RouteResource(
        route=index,
        match=state.match,
        capacity=capacity(state),
        rate=state.rate,
        connectors=[_connector(leg, fared.get(leg.connector, _Fared())) for leg in state.legs],
    )


def _connector(leg: RouteLeg, fared: _Fared) -> RouteConnector:
    countries = sorted(fared.countries, key=lambda each: (-fared.countries[each], each))
    delivery = rate_of(fared.delivered, fared.sent)
    return RouteConnector(
        leg.connector, leg.weight or None, leg.up, leg.capacity, delivery, countries
    )
