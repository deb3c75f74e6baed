"""The endpoint for how a number fares.

Owns its JSON. Must not read tables: the view comes through web/services.py. Numbers leave masked.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from storage.crypto import mask
from web.api.suppressions import E164, SuppressionResource, resource_of
from web.edge.access import Access
from web.edge.endpoints import Endpoint
from web.edge.json_answers import json_response
from web.services import Services

READ = "numbers:read"


class NumberResource(msgspec.Struct, kw_only=True):
    """How a number fares: messages of this account in the last 90 days, the last 1 000 at most;
    `complete` says whether those are all.
    """

    number: str
    valid: bool
    fault: Annotated[str | None, Meta(description="Why it is no valid number.")]
    country: str | None
    type: str | None
    messages: int
    complete: bool
    delivered: int
    failed: int
    last_sent_at: datetime | None
    last_delivered_at: datetime | None
    last_failure: Annotated[str | None, Meta(description="The reason of the last that failed.")]
    last_opted_out_at: datetime | None
    suppressions: list[SuppressionResource]


class NumbersApi:
    """Handlers of /v1/numbers."""

    def __init__(self, services: Services, access: Access) -> None:
        self._services = services
        self._access = access

    def routes(self) -> list[Endpoint]:
        """The endpoints, for server.py to mount."""
        return [
            Endpoint(
                method="GET",
                path="/v1/numbers/{number}",
                handler=self.number,
                summary="How a number fares",
                scope=READ,
                path_parameters={"number": E164},
                answers={200: NumberResource},
            ),
        ]

    async def number(self, request: web.Request) -> web.Response:
        """How a number fares. Works for invalid numbers too, and says why they are."""
        key = await self._access.key(request, READ)
        number = request.match_info["number"]
        view = await self._services.numbers.number((key.account,), number)
        answer = NumberResource(
            number=mask(number),
            valid=view.fault is None,
            fault=view.fault,
            country=view.country,
            type=view.kind,
            messages=view.messages,
            complete=view.complete,
            delivered=view.delivered,
            failed=view.failed,
            last_sent_at=view.last_sent_at,
            last_delivered_at=view.last_delivered_at,
            last_failure=view.last_failure,
            last_opted_out_at=view.last_opted_out_at,
            suppressions=[resource_of(entry) for entry in view.suppressions],
        )
        return json_response(answer)
