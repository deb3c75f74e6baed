"""The endpoints for templates: make, see, add versions, say what providers answered, end.

Owns their answers. Must not store (campaigns/templates/desk.py), nor judge a field
(template_shapes.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from campaigns.templates.desk import (
    Change,
    End,
    NewTemplate,
    NewVersion,
    NothingToWaive,
    Said,
    TemplateActor,
    TemplateEnded,
)
from campaigns.templates.lengths import longest
from campaigns.templates.memory import PREFIX, place_of
from campaigns.templates.store import Place, StoredVersion, Waiver
from messages.models import FieldError
from web.api.template_shapes import (
    TEMPLATE_PROBLEMS,
    ApprovalRequest,
    TemplatePage,
    TemplateRequest,
    TemplateResource,
    VersionRequest,
    WaiverRequest,
    approval_of,
    content_of,
    resource,
)
from web.edge.access import Access
from web.edge.arguments import not_found, path_id, read_body, refusal
from web.edge.bodies import BodyReader
from web.edge.cursors import PageQuery
from web.edge.endpoints import Answer, Endpoint
from web.edge.idempotent import (
    REPEAT_PROBLEMS,
    REQUEST_HEADERS,
    Claim,
    IdempotentRequests,
)
from web.edge.json_answers import json_response
from web.edge.keys import StoredKey
from web.edge.parameters import QueryReader
from web.edge.problems import ProblemError
from web.services import Services

READ, WRITE, APPROVE = "templates:read", "templates:write", "templates:approve"
PATH = "/v1/templates"
ONE = PATH + "/{id}"
WHAT = "template"
IDS_OF_TEMPLATE, IDS_OF_VERSION = 2, 1
SLICE_TEXTS = 10  # measured between two turns for others
TemplateId = Annotated[str, Meta(description="The template's id.", examples=["tpl_0NX25TC8G2000"])]
Reference = Annotated[
    str,
    Meta(
        description="The template's id: its newest version; `@3` behind it: that one.",
        examples=["tpl_0NX25TC8G2000@3"],
    ),
]
IN_PATH = {"id": TemplateId}
OF_VERSION = {"id": Reference}
EXAMPLE_VERSION = {
    "category": "marketing",
    "body": "{{name}}满100减20元券已到账,11月11日前领取 {{link:main}}",
    "variables": {"name": {"type": "text", "max": 8, "fallback": "会员"}},
    "links": {"main": {"url": "https://shop.example/sale"}},
}
EXAMPLE = {"name": "双11 满减", **EXAMPLE_VERSION}


_Make = Callable[[web.Request, StoredKey, bytes, Claim | None], Awaitable[web.Response]]


class TemplateQuery(PageQuery, kw_only=True):
    """The account's templates."""

    ended: Annotated[bool, Meta(description="Also those that have ended.")] = False


class TemplatesApi:
    """Handlers of /v1/templates, but for the looks at a text."""

    def __init__(self, services: Services, access: Access, bodies: BodyReader) -> None:
        self._services = services
        self._desk = services.templates.book
        self._access = access
        self._bodies = bodies
        self._idempotent = IdempotentRequests(services.idempotency)
        self._query = QueryReader(TemplateQuery)
        self._new = msgspec.json.Decoder(TemplateRequest)
        self._version = msgspec.json.Decoder(VersionRequest)
        self._approval = msgspec.json.Decoder(ApprovalRequest)
        self._waiver = msgspec.json.Decoder(WaiverRequest)

    def routes(self) -> list[Endpoint]:
        """What server.py mounts."""
        return [
            Endpoint(
                method="GET",
                path=PATH,
                handler=self.listed,
                summary="The account's templates",
                scope=READ,
                query=TemplateQuery,
                answers={200: Answer(TemplatePage, headers={"Link": "The next page."})},
            ),
            Endpoint(
                method="POST",
                path=PATH,
                handler=self.create,
                summary="Make a template",
                description="It has one version, which never changes. What the rules R1 to R20 "
                "find is in `lint`; it keeps nothing from being stored.",
                scope=WRITE,
                request=TemplateRequest,
                answers={201: Answer(TemplateResource, headers={"Location": "The template."})},
                headers=REQUEST_HEADERS,
                problems=(*TEMPLATE_PROBLEMS, *REPEAT_PROBLEMS),
                example=EXAMPLE,
            ),
            *self._of_one(),
            *self._words(),
        ]

    def _of_one(self) -> list[Endpoint]:
        return [
            Endpoint(
                method="GET",
                path=ONE,
                handler=self.one,
                summary="A version of a template",
                scope=READ,
                path_parameters=OF_VERSION,
                answers={200: TemplateResource},
            ),
            Endpoint(
                method="DELETE",
                path=ONE,
                handler=self.end,
                summary="End a template for good",
                description="Nothing is sent by it any more; other processes know it five seconds "
                "later. Its versions stay, for what was sent by them.",
                scope=WRITE,
                path_parameters=IN_PATH,
                answers={204: Answer(None, "It has ended", content_type=None)},
            ),
            Endpoint(
                method="POST",
                path=f"{ONE}/versions",
                handler=self.add,
                summary="Add a version",
                description="The next number. Who names no version sends it five seconds later, or "
                "at once through the process that answered.",
                scope=WRITE,
                path_parameters=IN_PATH,
                request=VersionRequest,
                answers={201: Answer(TemplateResource, headers={"Location": "The version."})},
                headers=REQUEST_HEADERS,
                problems=(*TEMPLATE_PROBLEMS, "template_ended", *REPEAT_PROBLEMS),
                example=EXAMPLE_VERSION,
            ),
        ]

    def _words(self) -> list[Endpoint]:
        return [
            Endpoint(
                method="POST",
                path=f"{ONE}/approvals",
                handler=self.approve,
                summary="Say what a provider answered",
                description="Of one version. What was said before is in the audit.",
                scope=APPROVE,
                path_parameters=OF_VERSION,
                request=ApprovalRequest,
                answers={200: TemplateResource},
                problems=("provider_unknown", "template_ended"),
                example={"provider": "huawei", "state": "approved"},
            ),
            Endpoint(
                method="POST",
                path=f"{ONE}/waivers",
                handler=self.waive,
                summary="Answer for a warning",
                description="Of one version. Errors are not waived but corrected.",
                scope=APPROVE,
                path_parameters=OF_VERSION,
                request=WaiverRequest,
                answers={200: TemplateResource},
                problems=("waiver_refused", "template_ended"),
                example={"rule": "R11", "reason": "cheapest by our own price list of 2026-11-01"},
            ),
        ]

    async def listed(self, request: web.Request) -> web.Response:
        """The latest made first, each with its newest version."""
        key = await self._access.key(request, READ)
        query = self._query.read(request)
        page = self._services.cursors.page(request, key.account, query)
        found = await self._desk.listed(
            key.account,
            before=int(page.after[0]) if page.after else None,
            ended=query.ended,
            limit=page.limit + 1,
        )
        kept, next_cursor = page.cut(found, lambda each: (each.version.template,))
        shown: list[TemplateResource] = []
        for place, each in enumerate(kept):
            shown.append(self._shown(key, each))
            if place % SLICE_TEXTS == SLICE_TEXTS - 1:
                await asyncio.sleep(0)
        answer = TemplatePage(shown, next_cursor)
        return json_response(answer, headers=page.headers(next_cursor))

    async def one(self, request: web.Request) -> web.Response:
        """As it stands, also once it has ended."""
        key = await self._access.key(request, READ)
        found = await self._desk.one(key.account, _place(request))
        if found is None:
            raise not_found(WHAT)
        return json_response(self._shown(key, found))

    async def create(self, request: web.Request) -> web.Response:
        """201 once it is committed."""
        return await self._once(request, self._create)

    async def _create(
        self, request: web.Request, key: StoredKey, body: bytes, claim: Claim | None
    ) -> web.Response:
        claimed = None if claim is None else await claim(IDS_OF_TEMPLATE)
        read = read_body(TemplateRequest, self._new, body)
        content = None if read.body is None else content_of(read.body, read.faults)
        if read.body is None or content is None or read.faults:
            raise refusal(read.faults)
        first, second = claimed.ids if claimed else self._desk.new_ids(IDS_OF_TEMPLATE)
        made = NewTemplate(ids=(first, second), name=read.body.name, content=content)
        return await self._made(key, made)

    async def add(self, request: web.Request) -> web.Response:
        """201 once it is committed."""
        return await self._once(request, self._add)

    async def _add(
        self, request: web.Request, key: StoredKey, body: bytes, claim: Claim | None
    ) -> web.Response:
        read = read_body(VersionRequest, self._version, body)
        content = None if read.body is None else content_of(read.body, read.faults)
        if content is None or read.faults:
            raise refusal(read.faults)
        template = path_id(request, PREFIX, WHAT)
        # Not before the path is known to be one: a claim stores it.
        claimed = None if claim is None else await claim(IDS_OF_VERSION)
        [version_id] = claimed.ids if claimed else self._desk.new_ids(IDS_OF_VERSION)
        return await self._made(key, NewVersion(id=version_id, template=template, content=content))

    async def end(self, request: web.Request) -> web.Response:
        """204, also when it had ended before."""
        key = await self._access.key(request, WRITE)
        await self._changed(key, End(path_id(request, PREFIX, WHAT)))
        return web.Response(status=204)

    async def approve(self, request: web.Request) -> web.Response:
        """What holds now."""
        key = await self._access.key(request, APPROVE)
        read = read_body(ApprovalRequest, self._approval, await self._bodies.read(request))
        word = None
        if read.body is not None:
            word = approval_of(read.body, _by(key), self._now(), read.faults)
        if word is None or read.faults:
            raise refusal(read.faults)
        return json_response(
            self._shown(key, await self._changed(key, Said(_place(request), word)))
        )

    async def waive(self, request: web.Request) -> web.Response:
        """What holds now."""
        key = await self._access.key(request, APPROVE)
        read = read_body(WaiverRequest, self._waiver, await self._bodies.read(request))
        asked = read.body
        if asked is None or read.faults:
            raise refusal(read.faults)
        word = Waiver(rule=asked.rule, reason=asked.reason, author=_by(key), at=self._now())
        return json_response(
            self._shown(key, await self._changed(key, Said(_place(request), word)))
        )

    async def _once(self, request: web.Request, make: _Make) -> web.Response:
        key = await self._access.key(request, WRITE)
        body = await self._bodies.read(request)
        return await self._idempotent.answer(
            request, key.account, body, lambda claim: make(request, key, body, claim)
        )

    async def _made(self, key: StoredKey, asked: Change) -> web.Response:
        answer = self._shown(key, await self._changed(key, asked))
        location = {"Location": f"{PATH}/{answer.reference}"}
        return json_response(answer, status=201, headers=location)

    async def _changed(self, key: StoredKey, asked: Change) -> StoredVersion:
        try:
            found = await self._desk.change(TemplateActor(key.account, _by(key)), asked)
        except TemplateEnded:
            raise ProblemError("template_ended", "the template has ended for good") from None
        except NothingToWaive:
            detail = "the version has no warning of this rule; errors are corrected, not waived"
            raise refusal(FieldError("waiver_refused", detail, "/rule")) from None
        if found is None:
            raise not_found(WHAT)
        return found

    def _shown(self, key: StoredKey, stored: StoredVersion) -> TemplateResource:
        return resource(stored, longest(stored.version, self._desk.measure(key.account)))

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._services.wall_ms() / 1000, UTC)


def _place(request: web.Request) -> Place:
    place = place_of(request.match_info["id"])
    if place is None:
        raise not_found(WHAT)
    return place


def _by(key: StoredKey) -> str:
    return f"key {key.id}"
