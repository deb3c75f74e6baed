"""The endpoints for webhook endpoints: make, see, change, exchange secrets, stop and start.

Owns their answers. Must not store (dlr/webhooks/owner_desk.py), nor judge a field
(webhook_shapes.py).
"""

from __future__ import annotations

import math
from collections.abc import Awaitable
from typing import Annotated, TypeVar

import msgspec
from aiohttp import web
from msgspec import Meta

from dlr.webhooks.desk import TooSoon
from dlr.webhooks.endpoint_state import State
from dlr.webhooks.endpoints import ENDPOINTS_MAX, Endpoint, TooMany
from dlr.webhooks.owner_desk import PREFIX
from dlr.webhooks.owner_wishes import Actor, Enabled, EndpointWish
from dlr.webhooks.signature import new_key
from web.api.webhook_shapes import (
    EndpointList,
    EndpointPatch,
    EndpointRequest,
    EndpointResource,
    NewKeyResource,
    RotateRequest,
    check_request,
    read_rotation,
    resource,
    with_secret,
)
from web.edge.access import Access
from web.edge.arguments import given, not_found, path_id, read_body, refusal
from web.edge.auth import scope_missing
from web.edge.bodies import BodyReader
from web.edge.cursors import PageQuery
from web.edge.endpoints import Answer, Handler
from web.edge.endpoints import Endpoint as Door
from web.edge.idempotent import REPEAT_PROBLEMS, REQUEST_HEADERS, Claim, IdempotentRequests
from web.edge.json_answers import json_response
from web.edge.keys import StoredKey
from web.edge.parameters import QueryReader
from web.edge.problems import ProblemError
from web.edge.reveals import NO_STORE, REVEAL
from web.services import Services

READ = "webhooks:read"
WRITE = "webhooks:write"
# Why a call takes no Idempotency-Key.
NEWER_SECRET = "each request makes a newer secret"
TOLD_AGAIN = "each request tells it again"
PATH = "/v1/webhook-endpoints"
ONE = PATH + "/{id}"
WHAT = "webhook endpoint"
EndpointId = Annotated[str, Meta(description="The endpoint's id.", examples=["whe_0NX25TC8G2000"])]
IN_PATH = {"id": EndpointId}
FIELD_PROBLEMS = (
    "webhook_url_refused", "event_unknown", "header_invalid", "ca_invalid", "out_of_range",
)  # fmt: skip
_NOTHING = Answer(None, "Nothing is told to it any more", content_type=None)
EXAMPLE = {"url": "https://app.example/hooks", "events": ["message.*"]}


Found = TypeVar("Found")


class TestAnswer(msgspec.Struct, kw_only=True):
    """What became of a `webhook.test`: the receiver's status, or why there was none."""

    __test__ = False

    delivered: bool
    status: int | None
    error: str | None
    detail: str | None
    milliseconds: int
    answer: Annotated[str, Meta(description="The first KiB of its body.")]


class WebhooksApi:
    """Handlers of /v1/webhook-endpoints."""

    def __init__(self, services: Services, access: Access, bodies: BodyReader) -> None:
        self._services = services
        self._desk = services.webhooks
        self._access = access
        self._bodies = bodies
        self._query = QueryReader(PageQuery)
        self._idempotent = IdempotentRequests(services.idempotency)
        self._new = msgspec.json.Decoder(EndpointRequest)
        self._patch = msgspec.json.Decoder(EndpointPatch)
        self._rotate = msgspec.json.Decoder(RotateRequest)

    def routes(self) -> list[Door]:
        """What server.py mounts."""
        return [
            Door(
                method="GET",
                path=PATH,
                handler=self.listed,
                summary="Where events are told",
                scope=READ,
                query=PageQuery,
                answers={200: EndpointList},
            ),
            Door(
                method="POST",
                path=PATH,
                handler=self.create,
                summary="Tell events to a URL",
                description="Signed as Standard Webhooks 1.0.0 says. The secret is told in this "
                "answer only. It hears of what happens after the answer.",
                scope=WRITE,
                request=EndpointRequest,
                headers=REQUEST_HEADERS,
                answers={201: NewKeyResource},
                problems=(
                    *FIELD_PROBLEMS,
                    *REPEAT_PROBLEMS,
                    "secret_invalid",
                    "webhook_endpoints_max",
                ),
                example=EXAMPLE,
            ),
            *self._actions(),
            *self._of_one(),
        ]

    def _of_one(self) -> list[Door]:
        return [
            Door(
                method="GET",
                path=ONE,
                handler=self.one,
                summary="One endpoint as it stands",
                scope=READ,
                path_parameters=IN_PATH,
                answers={200: EndpointResource},
            ),
            Door(
                method="PATCH",
                path=ONE,
                handler=self.change,
                summary="Change an endpoint",
                description="Also what waits already goes by what holds at its attempt.",
                scope=WRITE,
                path_parameters=IN_PATH,
                request=EndpointPatch,
                answers={200: EndpointResource},
                problems=FIELD_PROBLEMS,
                example={"events": ["final"]},
            ),
            Door(
                method="DELETE",
                path=ONE,
                handler=self.delete,
                summary="End an endpoint, with what waits for it",
                scope=WRITE,
                path_parameters=IN_PATH,
                answers={204: _NOTHING},
            ),
        ]

    def _actions(self) -> list[Door]:
        return [
            Door(
                method="POST",
                path=f"{ONE}/rotate",
                handler=self.rotate,
                summary="Sign with a new secret",
                description="Both sign for `overlap_seconds`, so that receivers can follow; "
                "`retire` ends the old ones sooner.",
                scope=WRITE,
                anew=NEWER_SECRET,
                path_parameters=IN_PATH,
                request=RotateRequest,
                request_optional=True,
                answers={200: NewKeyResource},
                problems=("secret_invalid", "out_of_range"),
                example={"overlap_seconds": 86_400},
            ),
            _action("retire", self.retire, "Sign with the newest secret alone"),
            _action(
                "enable",
                self.enable,
                "Deliver again, after a `webhook.test` that succeeds",
                problems=("webhook_test_failed", "webhook_test_soon"),
            ),
            _action("pause", self.pause, "Let events wait", problems=("webhook_disabled",)),
            _action("disable", self.disable, "Stop: events are skipped, and can be replayed"),
            Door(
                method="POST",
                path=f"{ONE}/test",
                handler=self.test,
                summary="Send a `webhook.test` now",
                description="Also to an endpoint that is paused or disabled. Changes no state.",
                scope=WRITE,
                anew=TOLD_AGAIN,
                path_parameters=IN_PATH,
                answers={200: TestAnswer},
            ),
        ]

    async def listed(self, request: web.Request) -> web.Response:
        """Oldest first."""
        key = await self._access.key(request, READ)
        query = self._query.read(request)
        page = self._services.cursors.page(request, key.account, query)
        after = int(page.after[0]) if page.after else 0
        found = await self._desk.listed(key.account, after=after, limit=page.limit + 1)
        kept, next_cursor = page.cut(found, lambda endpoint: (endpoint.id,))
        answer = EndpointList([resource(each) for each in kept], next_cursor)
        return json_response(answer, headers=page.headers(next_cursor))

    async def create(self, request: web.Request) -> web.Response:
        """201 once it is told of everything."""
        key = await self._access.key(request, WRITE)
        body = await self._bodies.read(request)
        answer = await self._idempotent.answer(
            request, key.account, body, lambda claim: self._create(key, body, claim)
        )
        answer.headers.update(NO_STORE)  # a replay tells the secret, too
        return answer

    async def _create(self, key: StoredKey, body: bytes, claim: Claim | None) -> web.Response:
        claimed = None if claim is None else await claim(1)
        read = read_body(EndpointRequest, self._new, body)
        asked, faults = read.body, read.faults
        if asked is not None:
            check_request(asked, faults, self._desk.url_fault)
        if asked is None or faults:
            raise refusal(faults)
        _check_numbers(key, asked.numbers)
        wish = EndpointWish(
            url=asked.url,
            events=tuple(dict.fromkeys(asked.events)),
            batch_max=asked.batch_max,
            batch_wait_ms=asked.batch_wait_ms,
            full_numbers=asked.numbers == "full",
            ordered=asked.ordered,
            ca=asked.ca,
            headers=asked.headers,
            key=asked.secret or new_key(asked.signing),
        )
        try:
            endpoint = await self._desk.create(
                Actor(key.account, key.id), wish, None if claimed is None else claimed.ids[0]
            )
        except TooMany:
            detail = f"an account has at most {ENDPOINTS_MAX} endpoints"
            raise ProblemError("webhook_endpoints_max", detail) from None
        answer = with_secret(endpoint)
        return json_response(answer, status=201, headers={"Location": f"{PATH}/{answer.id}"})

    async def one(self, request: web.Request) -> web.Response:
        """As it stands."""
        key = await self._access.key(request, READ)
        found = await self._desk.get(key.account, path_id(request, PREFIX, WHAT))
        return json_response(resource(_known(found)))

    async def change(self, request: web.Request) -> web.Response:
        """What is named, at once, or nothing."""
        key = await self._access.key(request, WRITE)
        read = read_body(EndpointPatch, self._patch, await self._bodies.read(request))
        asked, faults = read.body, read.faults
        if asked is not None:
            check_request(asked, faults, self._desk.url_fault)
        if asked is None or faults:
            raise refusal(faults)
        _check_numbers(key, asked.numbers)
        fields = given(asked)
        if "numbers" in fields:
            fields["full_numbers"] = fields.pop("numbers") == "full"

        def made(endpoint: Endpoint) -> Endpoint:
            new = msgspec.structs.replace(endpoint, **fields)
            if new.full_numbers and new.url != endpoint.url:
                _check_numbers(key, "full")  # they would be told to somebody else
            return new

        changed = await self._desk.change(
            Actor(key.account, key.id), path_id(request, PREFIX, WHAT), made, "change"
        )
        return json_response(resource(_known(changed)))

    async def delete(self, request: web.Request) -> web.Response:
        """204, and nothing is sent to it any more."""
        actor, endpoint_id = await self._asked(request)
        if not await self._desk.delete(actor, endpoint_id):
            raise not_found(WHAT)
        return web.Response(status=204)

    async def rotate(self, request: web.Request) -> web.Response:
        """The new secret, told once."""
        key = await self._access.key(request, WRITE)
        asked = await read_rotation(request, self._bodies, self._rotate)
        changed = await self._desk.rotate(
            Actor(key.account, key.id),
            path_id(request, PREFIX, WHAT),
            asked.secret,
            asked.overlap_seconds,
        )
        return json_response(with_secret(_known(changed)), headers=NO_STORE)

    async def retire(self, request: web.Request) -> web.Response:
        """The newest alone."""
        actor, endpoint_id = await self._asked(request)
        return await _shown(self._desk.retire(actor, endpoint_id))

    async def pause(self, request: web.Request) -> web.Response:
        """Events wait."""
        actor, endpoint_id = await self._asked(request)
        found = _known(await self._desk.get(actor.account, endpoint_id))
        if found.state is State.DISABLED:
            detail = f"the endpoint is disabled since {found.since:%Y-%m-%d %H:%M:%S} UTC"
            raise ProblemError("webhook_disabled", detail)
        return await _shown(self._desk.set_state(actor, endpoint_id, State.PAUSED))

    async def disable(self, request: web.Request) -> web.Response:
        """Events are skipped."""
        actor, endpoint_id = await self._asked(request)
        return await _shown(self._desk.set_state(actor, endpoint_id, State.DISABLED))

    async def enable(self, request: web.Request) -> web.Response:
        """After a test; nothing happens to one that is active."""
        actor, endpoint_id = await self._asked(request)
        try:
            done = await self._desk.enable(actor, endpoint_id)
        except TooSoon as error:
            headers = {"Retry-After": str(math.ceil(error.seconds))}
            raise ProblemError("webhook_test_soon", str(error), headers=headers) from None
        enabled: Enabled = _known(done)
        if enabled.test is not None and not enabled.test.delivered:
            raise ProblemError("webhook_test_failed", enabled.test.in_words)
        return json_response(resource(enabled.endpoint))

    async def test(self, request: web.Request) -> web.Response:
        """What the receiver said."""
        actor, endpoint_id = await self._asked(request)
        tested = _known(await self._desk.test(actor.account, endpoint_id))
        attempt = tested.attempt
        return json_response(
            TestAnswer(
                delivered=tested.delivered,
                status=attempt.status,
                error=attempt.error,
                detail=attempt.detail,
                milliseconds=attempt.milliseconds,
                answer=attempt.answer.decode("utf-8", "replace"),
            )
        )

    async def _asked(self, request: web.Request) -> tuple[Actor, int]:
        key = await self._access.key(request, WRITE)
        return Actor(key.account, key.id), path_id(request, PREFIX, WHAT)


def _action(name: str, handler: Handler, summary: str, problems: tuple[str, ...] = ()) -> Door:
    return Door(
        method="POST",
        path=f"{ONE}/{name}",
        handler=handler,
        summary=summary,
        scope=WRITE,
        path_parameters=IN_PATH,
        answers={200: EndpointResource},
        problems=problems,
    )


def _check_numbers(key: StoredKey, numbers: object) -> None:
    """Who has numbers told in full could read them, too."""
    if numbers == "full" and REVEAL not in key.scopes:
        raise scope_missing(REVEAL)


def _known(found: Found | None) -> Found:
    if found is None:
        raise not_found(WHAT)
    return found


async def _shown(change: Awaitable[Endpoint | None]) -> web.Response:
    return json_response(resource(_known(await change)))
