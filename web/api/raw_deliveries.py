"""The endpoint for deliveries that were kept octet for octet.

Owns its parameters and JSON. Must not answer before the request is on record (reveals.py).

A delivery belongs to a carrier and not to an account. Numbers and texts of any account stand in it.
So it takes the operator's scope and `numbers:reveal`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from dispatch.raw.desk import RawDeliveryView, RawFilter
from dispatch.raw.reading import DecodedDelivery
from storage.ids import format_id, time_of
from web.edge.access import Access
from web.edge.cursors import PageQuery
from web.edge.endpoints import Answer, Endpoint
from web.edge.json_answers import json_response
from web.edge.parameters import QueryReader, invalid
from web.edge.reveals import (
    REASON_NEEDED,
    REVEAL,
    REVEAL_PROBLEMS,
    Reveals,
)
from web.health import CONNECTORS_READ
from web.services import Services

_Moment = Annotated[datetime, Meta(tz=True)] | None


class RawQuery(PageQuery, kw_only=True):
    """What one carrier delivered in [since, until), newest first."""

    connector: Annotated[str, Meta(description="The connector.", examples=["carrier-a"])]
    since: Annotated[_Moment, Meta(description="Delivered from then on.")] = None
    until: Annotated[_Moment, Meta(description="Delivered before.")] = None
    unclear: Annotated[
        Literal["unreadable", "receipt_like", "unknown_word", "guessed", "parked"] | None,
        Meta(description="Only those that are unclear for this reason."),
    ] = None


class RawDelivery(msgspec.Struct, kw_only=True):
    """One deliver_sm or data_sm as it came, and as it is read today."""

    id: str
    object: str = "raw_delivery"
    received_at: datetime
    taken_for: Annotated[str, Meta(description="`receipt` or `message`.")]
    unclear: Annotated[
        str | None,
        Meta(description="Why it was not clear; null: kept because it is a message, or by `all`."),
    ]
    octets: Annotated[int, Meta(description="Of the whole PDU.")]
    cut: Annotated[bool, Meta(description="Whether not all of them were kept.")]
    body: Annotated[
        str | None,
        Meta(description="The PDU behind its header, in hexadecimal; null: it cannot be opened."),
    ]
    decoded: DecodedDelivery | None
    outcome: Annotated[
        str | None, Meta(description="What `smsgate receipts reread` changed, if it applied it.")
    ]


class RawDeliveryList(msgspec.Struct):
    """A page of deliveries, newest first."""

    data: list[RawDelivery]
    next_cursor: str | None


class RawApi:
    """Handler of /v1/raw-deliveries."""

    def __init__(self, services: Services, access: Access) -> None:
        self._services = services
        self._access = access
        self._query = QueryReader(RawQuery)
        self._reveals = Reveals(services.reveals)

    def routes(self) -> list[Endpoint]:
        """The endpoints, for server.py to mount."""
        return [
            Endpoint(
                method="GET",
                path="/v1/raw-deliveries",
                handler=self.deliveries,
                summary="What a carrier delivered, octet for octet",
                description="What `keep_raw` of the connector keeps. Needs the scope "
                f"{REVEAL}, too, which admin does not imply; each request leaves an audit row.",
                scope=CONNECTORS_READ,
                query=RawQuery,
                headers=REASON_NEEDED,
                problems=REVEAL_PROBLEMS,
                answers={
                    200: Answer(
                        RawDeliveryList, headers={"Link": "The next page, if there is one."}
                    )
                },
            )
        ]

    async def deliveries(self, request: web.Request) -> web.Response:
        """A page of deliveries, newest first."""
        key = await self._access.key(request, CONNECTORS_READ)
        reason = self._reveals.check(request, key, True)
        query = self._query.read(request)
        page = self._services.cursors.page(request, 0, query)
        found = await self._services.raw_deliveries.listed(
            RawFilter(
                connector=query.connector,
                since=query.since,
                until=query.until,
                unclear=query.unclear,
            ),
            before=int(page.after[0]) if page.after else None,
            limit=page.limit + 1,
        )
        if found is None:
            raise invalid("parameter_invalid", "connector", "there is no such connector")
        kept, next_cursor = page.cut(found, lambda view: (view.id,))
        answer = RawDeliveryList([_resource(view) for view in kept], next_cursor)
        names = [each.id for each in answer.data]
        noted = await self._reveals.note(
            key, reason, "raw_deliveries", names, (), connector=query.connector
        )
        return json_response(answer, headers=page.headers(next_cursor) | noted)


def _resource(view: RawDeliveryView) -> RawDelivery:
    return RawDelivery(
        id=format_id("raw", view.id),
        received_at=time_of(view.id),
        taken_for="receipt" if view.receipt else "message",
        unclear=view.unclear,
        octets=view.octets,
        cut=view.cut,
        body=None if view.body is None else view.body.hex(),
        decoded=view.decoded,
        outcome=view.outcome,
    )
