"""An account with some attributes behind /v1/contacts, over a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from campaigns.contacts.desk import ContactDesk
from storage.pool import Connection
from tests.dispatch.world import VAULT, World, running
from tests.web.nobody import NoContactFiles, NoEvents
from tests.web.served import Api, running_api
from web.contact_services import ContactRooms

PATH = "/v1/contacts"
NUMBER, MASKED, OTHER = "+8613812345678", "+86138****5678", "+8613912345678"
JSON = {"Content-Type": "application/json"}


@dataclass
class Shop:
    """An account with some attributes."""

    api: Api
    world: World

    @property
    def connection(self) -> Connection:
        return self.world.connection

    async def post(self, path: str = PATH, **fields: object) -> Any:
        response, body = await self.api.post(path, msgspec.json.encode(fields))
        return body if response.status in (200, 201) else (body["code"], body["errors"])

    async def get(self, path: str = PATH) -> Any:
        return (await self.api.get(path))[1]

    async def say(
        self, method: str, path: str, seen: str | None = None, **fields: object
    ) -> tuple[int, Any]:
        """With the ETag that was seen."""
        headers = JSON if seen is None else {**JSON, "If-Match": seen}
        body = msgspec.json.encode(fields) if method != "DELETE" else None
        response, answer = await self.api.call(method, path, body, headers)
        return response.status, answer


@asynccontextmanager
async def contact_shop(database_url: str) -> AsyncIterator[Shop]:
    async with running(database_url) as world:
        desk = ContactDesk(
            world.database.read, world.database.dedicated("contacts"), vault=VAULT, ids=world.ids
        )
        async with running_api(contacts=ContactRooms(desk, NoContactFiles(), NoEvents())) as api:
            api.headers = api.new_key(1, "contacts:read", "contacts:write")
            for name, kind in (("city", "text"), ("birthday", "date"), ("spent", "money")):
                await api.call(
                    "PUT", f"{PATH}/attributes/{name}", msgspec.json.encode({"type": kind}), JSON
                )
            yield Shop(api, world)
