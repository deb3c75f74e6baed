"""The endpoint for anomalies: what was found unlike other days.

Owns its parameters and JSON. Must not judge: dlr/anomalies does. They are the installation's, with
traffic of all accounts, so they take the operator's scope.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from dlr.anomalies.detectors import Detector, Test
from dlr.anomalies.rows import Anomaly, AnomalyFilter
from storage.ids import format_id, id_at, time_of
from web.api.breakers import READ
from web.edge.access import Access
from web.edge.cursors import PageQuery
from web.edge.endpoints import Answer, Endpoint
from web.edge.json_answers import json_response
from web.edge.parameters import QueryReader
from web.services import Services

PlaceScope = Literal["connector", "operator", "campaign", "sender"]


class AnomalyQuery(PageQuery, kw_only=True):
    """Which anomalies, the latest found first."""

    detector: Annotated[Detector | None, Meta(description="Those of this detector only.")] = None
    scope: Annotated[PlaceScope | None, Meta(description="Those of this scope only.")] = None
    subject: Annotated[
        str | None, Meta(description="Those of this connector, `account:sender` … only.")
    ] = None
    since: Annotated[
        Annotated[datetime, Meta(tz=True)] | None, Meta(description="Found from then on.")
    ] = None


class AnomalyResource(msgspec.Struct, kw_only=True):
    """One alarm and all that it rests on."""

    id: str
    object: str = "anomaly"
    detector: Detector
    scope: PlaceScope
    subject: str
    about: Annotated[
        str | None, Meta(description="The reason that rises; `answer` or `receipt` of a latency.")
    ]
    found_at: datetime
    began_at: Annotated[datetime, Meta(description="The first moment of what was counted.")]
    test: Test
    observed: Annotated[float, Meta(description="The share, or the count, now.")]
    usual: Annotated[float, Meta(description="The same at the same time of other days.")]
    part: int
    whole: int
    usual_part: float
    usual_whole: int
    spread: Annotated[float, Meta(description="How much more than by chance windows differ.")]
    z: float | None
    limit: Annotated[float | None, Meta(description="What `z` had to reach.")]
    probability: float | None
    level: Annotated[float, Meta(description="One false alarm a week is to be expected of all.")]
    breaker_opened: bool


class AnomalyPage(msgspec.Struct):
    """A page of anomalies, the latest found first."""

    data: list[AnomalyResource]
    next_cursor: str | None


class AnomaliesApi:
    """Handler of /v1/anomalies."""

    def __init__(self, services: Services, access: Access) -> None:
        self._services = services
        self._access = access
        self._query = QueryReader(AnomalyQuery)

    def routes(self) -> list[Endpoint]:
        """What server.py mounts."""
        return [
            Endpoint(
                method="GET",
                path="/v1/anomalies",
                handler=self.listed,
                summary="What was found unlike other days",
                description="Each quarter of an hour is compared with the same one of other days. "
                "A connector, operator, campaign or sender alarms at most once in six hours.",
                scope=READ,
                query=AnomalyQuery,
                answers={
                    200: Answer(AnomalyPage, headers={"Link": "The next page, if there is one."})
                },
            )
        ]

    async def listed(self, request: web.Request) -> web.Response:
        """The latest found first."""
        await self._access.key(request, READ)
        query = self._query.read(request)
        page = self._services.cursors.page(request, 0, query)
        found = await self._services.anomalies.listed(
            AnomalyFilter(
                detector=query.detector,
                scope=query.scope,
                subject=query.subject,
                since=None if query.since is None else id_at(query.since.astimezone(UTC)),
            ),
            before=int(page.after[0]) if page.after else None,
            limit=page.limit + 1,
        )
        kept, next_cursor = page.cut(found, lambda each: (each.id,))
        answer = AnomalyPage([_resource(each) for each in kept], next_cursor)
        return json_response(answer, headers=page.headers(next_cursor))


def _resource(anomaly: Anomaly) -> AnomalyResource:
    return AnomalyResource(
        id=format_id("ano", anomaly.id),
        scope=msgspec.convert(anomaly.scope, PlaceScope),
        subject=anomaly.subject,
        about=anomaly.about,
        found_at=time_of(anomaly.id),
        began_at=anomaly.began_at,
        breaker_opened=anomaly.opened,
        **msgspec.structs.asdict(anomaly.finding),
    )
