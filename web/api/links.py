"""The endpoints for links that belong to no message: make, see, change, end.

Owns their answers. Must not store (shortlinks/public_desk.py), nor judge a field (link_shapes.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from messages.body_faults import in_list
from messages.models import FieldError
from shortlinks.public_desk import PREFIX, LinkActor, LinkDeleted
from shortlinks.public_links import LinkFilter, NewLink, StoredLink, Taken
from storage.ids import format_id
from web.api.link_shapes import (
    LINK_PROBLEMS,
    LIST,
    LinkBatch,
    LinkBatchAnswer,
    LinkItem,
    LinkPage,
    LinkPatch,
    LinkRequest,
    LinkResource,
    StateName,
    changes,
    new_link,
    refused_item,
    resource,
    slug_taken,
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
from web.edge.list_bodies import SLICE_ITEMS, open_list
from web.edge.parameters import QueryReader
from web.edge.problems import ProblemError
from web.services import Services

READ = "links:read"
WRITE = "links:write"
PATH = "/v1/links"
ONE = PATH + "/{id}"
WHAT = "link"
ITEMS_MAX = 10_000
LinkId = Annotated[str, Meta(description="The link's id.", examples=["lnk_0NX25TC8G2000"])]
IN_PATH = {"id": LinkId}
EXAMPLE = {"url": "https://shop.example/sale?utm_source=sms", "slug": "sale-2026"}


class LinkQuery(PageQuery, kw_only=True):
    """The account's links."""

    since: Annotated[
        Annotated[datetime, Meta(tz=True)] | None, Meta(description="Made from then on.")
    ] = None
    campaign_id: Annotated[str | None, Meta(description="Those of this campaign only.")] = None
    tag: Annotated[str | None, Meta(description="Those with this tag only.")] = None
    domain: Annotated[str | None, Meta(description="Those under this domain only.")] = None
    state: Annotated[StateName | None, Meta(description="Those in this state only.")] = None


class LinksApi:
    """Handlers of /v1/links."""

    def __init__(self, services: Services, access: Access, bodies: BodyReader) -> None:
        self._services = services
        self._links = services.links
        self._access = access
        self._bodies = bodies
        self._idempotent = IdempotentRequests(services.idempotency)
        self._query = QueryReader(LinkQuery)
        self._new = msgspec.json.Decoder(LinkRequest)
        self._patch = msgspec.json.Decoder(LinkPatch)
        self._envelope = msgspec.json.Decoder(LinkBatch)

    def routes(self) -> list[Endpoint]:
        """What server.py mounts."""
        return [
            Endpoint(
                method="GET",
                path=PATH,
                handler=self.listed,
                summary="The account's links",
                scope=READ,
                query=LinkQuery,
                answers={
                    200: Answer(LinkPage, headers={"Link": "The next page, if there is one."})
                },
            ),
            Endpoint(
                method="POST",
                path=PATH,
                handler=self.create,
                summary="Make a short link",
                description="One address that everybody may have, under a code of six characters "
                "or a slug. Links in texts are made by themselves, one for each recipient.",
                scope=WRITE,
                request=LinkRequest,
                answers={201: Answer(LinkResource, headers={"Location": "The link."})},
                headers=REQUEST_HEADERS,
                problems=(*LINK_PROBLEMS, *REPEAT_PROBLEMS),
                example=EXAMPLE,
            ),
            Endpoint(
                method="POST",
                path=f"{PATH}/bulk",
                handler=self.create_many,
                summary="Make many short links",
                description=f"1 to {ITEMS_MAX} links. Each is taken or refused by itself; 422 when "
                "none is taken.",
                scope=WRITE,
                request=LinkBatch,
                items={LIST: LinkRequest},
                answers={200: LinkBatchAnswer},
                headers=REQUEST_HEADERS,
                problems=("batch_size", "batch_rejected", *REPEAT_PROBLEMS),
                example={"links": [{"url": EXAMPLE["url"]}]},
            ),
            *self._of_one(),
        ]

    def _of_one(self) -> list[Endpoint]:
        return [
            Endpoint(
                method="GET",
                path=ONE,
                handler=self.one,
                summary="A link as it stands",
                scope=READ,
                path_parameters=IN_PATH,
                answers={200: LinkResource},
            ),
            Endpoint(
                method="PATCH",
                path=ONE,
                handler=self.change,
                summary="Change where a link leads, until when, and what it belongs to",
                description="Each process that redirects knows it two seconds later.",
                scope=WRITE,
                path_parameters=IN_PATH,
                request=LinkPatch,
                answers={200: LinkResource},
                problems=(*LINK_PROBLEMS[:3], "out_of_range", "link_deleted"),
                example={"url": "https://shop.example/sale-is-over"},
            ),
            Endpoint(
                method="DELETE",
                path=ONE,
                handler=self.delete,
                summary="End a link for good",
                description="It answers 410 then, or leads to its fallback. Its slug stays taken "
                "until `retention.clicks_days` are over.",
                scope=WRITE,
                path_parameters=IN_PATH,
                answers={204: Answer(None, "It has ended", content_type=None)},
            ),
        ]

    async def listed(self, request: web.Request) -> web.Response:
        """The latest made first."""
        key = await self._access.key(request, READ)
        query = self._query.read(request)
        page = self._services.cursors.page(request, key.account, query)
        wanted = LinkFilter(
            since=query.since,
            campaign_id=query.campaign_id,
            tag=query.tag,
            domain=query.domain,
            state=query.state,
        )
        before = int(page.after[0]) if page.after else None
        found = await self._links.listed(key.account, wanted, before=before, limit=page.limit + 1)
        kept, next_cursor = page.cut(found, lambda link: (link.id,))
        answer = LinkPage([self._shown(link) for link in kept], next_cursor)
        return json_response(answer, headers=page.headers(next_cursor))

    async def create(self, request: web.Request) -> web.Response:
        """201 once it is committed."""
        key = await self._access.key(request, WRITE)
        body = await self._bodies.read(request)
        return await self._idempotent.answer(
            request, key.account, body, lambda claim: self._create(key, body, claim)
        )

    async def _create(self, key: StoredKey, body: bytes, claim: Claim | None) -> web.Response:
        claimed = None if claim is None else await claim(1)
        link = self._checked(key.account, body)
        if isinstance(link, list):
            raise refusal(link)
        [link_id] = self._links.new_ids(1) if claimed is None else claimed.ids
        link = msgspec.structs.replace(link, id=link_id)
        again = claimed is not None and claimed.again
        [outcome] = await self._links.create(_actor(key), [link], again=again)
        if isinstance(outcome, Taken):
            raise refusal(slug_taken(link.slug, outcome.by))
        answer = self._shown(outcome)
        return json_response(answer, status=201, headers={"Location": f"{PATH}/{answer.id}"})

    async def create_many(self, request: web.Request) -> web.Response:
        """200 with what became of each, once the good ones are committed."""
        key = await self._access.key(request, WRITE)
        body = await self._bodies.read(request)
        return await self._idempotent.answer(
            request, key.account, body, lambda claim: self._create_many(key, body, claim)
        )

    async def _create_many(self, key: StoredKey, body: bytes, claim: Claim | None) -> web.Response:
        items = await open_list(LinkBatch, self._envelope, body, ITEMS_MAX)
        claimed = None if claim is None else await claim(len(items))
        ids = self._links.new_ids(len(items)) if claimed is None else claimed.ids
        checked: list[NewLink | list[FieldError]] = []
        for index, (item, link_id) in enumerate(zip(items, ids, strict=True)):
            if index % SLICE_ITEMS == SLICE_ITEMS - 1:
                await asyncio.sleep(0)
            link = self._checked(key.account, bytes(item))
            checked.append(
                link if isinstance(link, list) else msgspec.structs.replace(link, id=link_id)
            )
        good = [link for link in checked if isinstance(link, NewLink)]
        again = claimed is not None and claimed.again
        made = await self._links.create(_actor(key), good, again=again) if good else []
        return self._batch_answer(checked, made)

    def _batch_answer(
        self, checked: Sequence[NewLink | list[FieldError]], made: Sequence[StoredLink | Taken]
    ) -> web.Response:
        outcomes, faults = iter(made), dict[int, list[FieldError]]()
        answers: list[LinkItem] = []
        for index, link in enumerate(checked):
            outcome = next(outcomes) if isinstance(link, NewLink) else link
            if isinstance(outcome, StoredLink):
                url = self._links.rules.short_url(outcome.account, outcome.domain, outcome.code)
                answers.append(LinkItem(index, format_id(PREFIX, outcome.id), url))
                continue
            if isinstance(outcome, Taken):
                assert isinstance(link, NewLink)
                outcome = [slug_taken(link.slug, outcome.by)]
            faults[index] = outcome
            answers.append(refused_item(index, outcome))
        if len(faults) == len(answers):
            told = [each for index, of in faults.items() for each in in_list(of, LIST, index)]
            detail = f"none of the {len(answers)} links can be made"
            raise ProblemError("batch_rejected", detail, tuple(told))
        refused = len(faults)
        return json_response(LinkBatchAnswer(len(answers) - refused, refused, answers))

    async def one(self, request: web.Request) -> web.Response:
        """As it stands, also after its end."""
        key = await self._access.key(request, READ)
        found = await self._links.one(key.account, path_id(request, PREFIX, WHAT))
        if found is None:
            raise not_found(WHAT)
        return json_response(self._shown(found))

    async def change(self, request: web.Request) -> web.Response:
        """What is named, at once, or nothing."""
        key = await self._access.key(request, WRITE)
        read = read_body(LinkPatch, self._patch, await self._bodies.read(request))
        asked, faults, given = read.body, read.faults, {}
        if asked is not None:
            given = changes(asked, faults, self._links.rules, key.account, self._links.now())
        if asked is None or faults:
            raise refusal(faults)
        link_id = path_id(request, PREFIX, WHAT)
        try:
            changed = await self._links.change(_actor(key), link_id, given)
        except LinkDeleted:
            raise ProblemError("link_deleted", "the link has ended for good") from None
        if changed is None:
            raise not_found(WHAT)
        return json_response(self._shown(changed))

    async def delete(self, request: web.Request) -> web.Response:
        """204, also when it had ended before."""
        key = await self._access.key(request, WRITE)
        if not await self._links.delete(_actor(key), path_id(request, PREFIX, WHAT)):
            raise not_found(WHAT)
        return web.Response(status=204)

    def _checked(self, account: int, body: bytes) -> NewLink | list[FieldError]:
        """The link without an id, or everything that is wrong with it."""
        read = read_body(LinkRequest, self._new, body)
        if read.body is None:
            return list(read.faults)
        link = new_link(read.body, read.faults, self._links.rules, account, self._links.now())
        return list(read.faults) or link

    def _shown(self, link: StoredLink) -> LinkResource:
        return resource(link, self._links.rules, self._links.now())


def _actor(key: StoredKey) -> LinkActor:
    return LinkActor(key.account, f"key {key.id}")
