"""The endpoints for what signs the callbacks that messages name.

Owns their JSON. Must not store: dlr/webhooks/owner_desk.py does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from dlr.webhooks.endpoints import Secret
from dlr.webhooks.owner_wishes import Actor
from web.api.webhook_shapes import KeyResource, RotateRequest, keys_of, read_rotation, told_once
from web.api.webhooks import NEWER_SECRET, READ, WRITE
from web.edge.access import Access
from web.edge.bodies import BodyReader
from web.edge.endpoints import Endpoint as Door
from web.edge.json_answers import json_response
from web.edge.reveals import NO_STORE
from web.services import Services

PATH = "/v1/webhook-callbacks"


class CallbacksResource(msgspec.Struct, kw_only=True):
    """Whereto this account's messages may name a `callback`, and what signs it."""

    object: str = "webhook_callbacks"
    hosts: Annotated[Sequence[str], Meta(description="`callback_hosts` of the account.")]
    keys: Sequence[KeyResource]


class NewCallbackKey(CallbacksResource, kw_only=True):
    """The same, with the new secret, which is not told again."""

    secret: str | None


class WebhookCallbacksApi:
    """Handlers of /v1/webhook-callbacks."""

    def __init__(self, services: Services, access: Access, bodies: BodyReader) -> None:
        self._services = services
        self._desk = services.webhooks
        self._access = access
        self._bodies = bodies
        self._rotate = msgspec.json.Decoder(RotateRequest)

    def routes(self) -> list[Door]:
        """What server.py mounts."""
        return [
            Door(
                method="GET",
                path=PATH,
                handler=self.seen,
                summary="Whereto messages may name callbacks, and what signs them",
                scope=READ,
                answers={200: CallbacksResource},
            ),
            Door(
                method="POST",
                path=f"{PATH}/rotate",
                handler=self.rotate,
                summary="Sign callbacks with a new secret",
                description="The first one allows messages to name a `callback`. Both sign for "
                "`overlap_seconds`.",
                scope=WRITE,
                anew=NEWER_SECRET,
                request=RotateRequest,
                request_optional=True,
                answers={200: NewCallbackKey},
                problems=("secret_invalid", "out_of_range"),
                example={"overlap_seconds": 86_400},
            ),
            Door(
                method="POST",
                path=f"{PATH}/retire",
                handler=self.retire,
                summary="Sign callbacks with the newest secret alone",
                scope=WRITE,
                answers={200: CallbacksResource},
            ),
        ]

    async def seen(self, request: web.Request) -> web.Response:
        """As it stands."""
        key = await self._access.key(request, READ)
        secrets = await self._desk.callback_secrets(key.account)
        return json_response(self._resource(key.account, secrets))

    async def rotate(self, request: web.Request) -> web.Response:
        """The new secret, told once."""
        key = await self._access.key(request, WRITE)
        asked = await read_rotation(request, self._bodies, self._rotate)
        secrets = await self._desk.rotate_callbacks(
            Actor(key.account, key.id), asked.secret, asked.overlap_seconds
        )
        answer = NewCallbackKey(
            hosts=self._hosts(key.account), keys=keys_of(secrets), secret=told_once(secrets)
        )
        return json_response(answer, headers=NO_STORE)

    async def retire(self, request: web.Request) -> web.Response:
        """The newest alone."""
        key = await self._access.key(request, WRITE)
        secrets = await self._desk.retire_callbacks(Actor(key.account, key.id))
        return json_response(self._resource(key.account, secrets))

    def _resource(self, account: int, secrets: Sequence[Secret]) -> CallbacksResource:
        return CallbacksResource(hosts=self._hosts(account), keys=keys_of(secrets))

    def _hosts(self, account: int) -> Sequence[str]:
        policy = self._services.accounts.get(account)
        return () if policy is None else policy.callback_hosts
