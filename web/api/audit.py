"""The endpoint for who changed or saw what, when and why.

Owns its parameters and JSON. Must not show a number: rows name a person by a keyed index, which
stays here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
from aiohttp import web
from msgspec import Meta

from recipients.numbers.plan import NumberPlan
from storage.audit_reading import AuditFilter, AuditView
from storage.ids import format_id, time_of
from web.api.inbound import accounts_of
from web.api.suppressions import E164
from web.edge.access import Access
from web.edge.cursors import PageQuery
from web.edge.endpoints import Answer, Endpoint
from web.edge.json_answers import json_response
from web.edge.parameters import QueryReader, held
from web.services import Services

READ = "audit:read"
_Moment = Annotated[datetime, Meta(tz=True)] | None
_Word = Annotated[str, Meta(min_length=1, max_length=64)] | None


class AuditQuery(PageQuery, kw_only=True):
    """Which rows: in [since, until), newest first."""

    action: Annotated[_Word, Meta(description="Such as `numbers.reveal`.")] = None
    actor: Annotated[_Word, Meta(description="Such as `key 7`, `operator` or `keyword`.")] = None
    number: Annotated[
        E164 | None, Meta(description="About this person, in E.164 form; + is %2B.")
    ] = None
    since: Annotated[_Moment, Meta(description="From then on.")] = None
    until: Annotated[_Moment, Meta(description="Before.")] = None


class AuditRow(msgspec.Struct, kw_only=True):
    """Who did what, when and why. `detail` holds counts, ids and words."""

    id: str
    object: str = "audit"
    seq: Annotated[
        int | None, Meta(description="Its place in the chain; null: it is not in it yet.")
    ]
    at: datetime
    actor: str
    action: str
    detail: Mapping[str, Any]
    reason: Annotated[str | None, Meta(description="As it was given.")]
    about_a_person: bool
    erased: Annotated[bool, Meta(description="Whether the person and the reason were erased.")]
    hash: Annotated[str | None, Meta(description="Of this row and all before it, in hexadecimal.")]


class AuditPage(msgspec.Struct):
    """A page of rows, newest first."""

    data: list[AuditRow]
    next_cursor: str | None


class AuditApi:
    """Handler of /v1/audit."""

    def __init__(self, services: Services, access: Access) -> None:
        self._services = services
        self._access = access
        self._numbers = NumberPlan()
        self._query = QueryReader(AuditQuery)

    def routes(self) -> list[Endpoint]:
        """What server.py mounts."""
        return [
            Endpoint(
                method="GET",
                path="/v1/audit",
                handler=self.listed,
                summary="Who changed or saw what",
                description="Of this account; with the scope admin also what belongs to none.",
                scope=READ,
                query=AuditQuery,
                answers={
                    200: Answer(AuditPage, headers={"Link": "The next page, if there is one."})
                },
            )
        ]

    async def listed(self, request: web.Request) -> web.Response:
        """A page of rows, newest first."""
        key = await self._access.key(request, READ)
        query = self._query.read(request, held(number=self._numbers.fault))
        page = self._services.cursors.page(request, key.account, query)
        found = await self._services.audit.listed(
            accounts_of(key),
            AuditFilter(
                action=query.action, actor=query.actor, since=query.since, until=query.until
            ),
            number=query.number,
            before=int(page.after[0]) if page.after else None,
            limit=page.limit + 1,
        )
        kept, next_cursor = page.cut(found, lambda view: (view.id,))
        answer = AuditPage([_row(view) for view in kept], next_cursor)
        return json_response(answer, headers=page.headers(next_cursor))


def _row(view: AuditView) -> AuditRow:
    return AuditRow(
        id=format_id("aud", view.id),
        seq=view.seq,
        at=time_of(view.id),
        actor=view.actor,
        action=view.action,
        detail=view.detail,
        reason=view.reason,
        about_a_person=view.subject,
        erased=view.erased,
        hash=None if view.hash is None else view.hash.hex(),
    )
