"""`If-Match` holds back each change of what has versions, over a gateway that runs.

Which calls these are, its OpenAPI document says: all unsafe ones on or below a path whose GET
answers with an ETag.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp

from tests.integration.running import SMOOTH, create_key, gateway, simulator, write_config

STALE = '"999"'
UNSAFE = {"post", "put", "patch", "delete"}
SCOPES = (
    "contacts:read", "contacts:write", "segments:read", "segments:write", "templates:read",
    "templates:write", "campaigns:read", "campaigns:write", "campaigns:send", "links:write",
    "messages:send", "webhooks:write",
)  # fmt: skip
TEMPLATE = {
    "name": "back",
    "category": "marketing",
    "body": "您的20元券今日到期。",
    "suffix": "拒收请回复R",
}


class Calls:
    """One gateway, asked with one key."""

    def __init__(self, session: aiohttp.ClientSession, api: str, key: str) -> None:
        self._session = session
        self._api = api
        self._key = key

    async def call(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[int, Any, str | None]:
        """Status, body and ETag."""
        sent = {"Authorization": f"Bearer {self._key}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        async with self._session.request(
            method.upper(), self._api + path, json=body, headers=sent
        ) as response:
            told = await response.json() if response.content_length else None
            return response.status, told, response.headers.get("ETag")

    async def made(self, path: str, body: object) -> str:
        status, told, _ = await self.call("post", path, body)
        assert status in (200, 201), told
        return f"{path}/{told['id']}"


async def versioned(calls: Calls) -> dict[str, str]:
    """One of each that has an ETag, by its path in the document."""
    template = await calls.made("/v1/templates", TEMPLATE)
    name = f"{template.rpartition('/')[2]}@1"
    campaign = {
        "name": "autumn",
        "audience": {"segment": 'city = "广州"'},
        "arms": [{"template": name}],
    }
    await calls.call("put", "/v1/contacts/attributes/city", {"type": "text"})
    contact = {"numbers": ["+8613812345678"], "tags": ["regular"]}
    return {
        "/v1/contacts/{id}": await calls.made("/v1/contacts", contact),
        "/v1/segments/{id}": await calls.made("/v1/segments", {"name": "members", "source": None}),
        "/v1/caps/{id}": await calls.made("/v1/caps", {"tag": "regular", "week": 1}),
        "/v1/campaigns/{id}": await calls.made("/v1/campaigns", campaign),
    }


def with_versions(paths: dict[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """By path of what has an ETag: the unsafe calls on it and below it."""
    tagged = [
        path
        for path, methods in paths.items()
        if "ETag" in methods.get("get", {}).get("responses", {}).get("200", {}).get("headers", ())
    ]
    return {
        one: [
            (method, path)
            for path, methods in paths.items()
            if path == one or path.startswith(f"{one}/")
            for method in methods.keys() & UNSAFE
        ]
        for one in tagged
    }


async def test_a_version_that_was_not_seen_is_412_and_nothing_is_changed(
    database_url: str, folder: Path
) -> None:
    async with simulator(folder, SMOOTH) as sim:
        config = write_config(folder, database_url, sim.port)
        async with gateway(config) as running, aiohttp.ClientSession() as session:
            key = await create_key(config, "editor", "--scopes", *SCOPES)
            calls = Calls(session, running.api, key)
            _, document, _ = await calls.call("get", "/openapi.json")
            paths = document["paths"]
            found, things = with_versions(paths), await versioned(calls)
            assert found.keys() == things.keys()
            assert sum(map(len, found.values())) > 12
            for one, unsafe in found.items():
                before = await calls.call("get", things[one])
                assert before[2] is not None, one
                for method, path in unsafe:
                    content = paths[path][method].get("requestBody", {}).get("content", {})
                    body = content.get("application/json", {}).get("example")
                    where = path.replace(one, things[one])
                    status, told, _ = await calls.call(method, where, body, If_Match=STALE)
                    assert (status, told["code"]) == (412, "version_conflict"), (method, path, told)
                assert await calls.call("get", things[one]) == before
            one = things["/v1/campaigns/{id}"]
            _, _, seen = await calls.call("get", one)
            assert seen is not None
            assert (await calls.call("post", f"{one}/cancel", If_Match=seen))[0] == 200


async def test_what_has_no_versions_does_not_take_one(database_url: str, folder: Path) -> None:
    async with simulator(folder, SMOOTH) as sim:
        config = write_config(folder, database_url, sim.port)
        async with gateway(config) as running, aiohttp.ClientSession() as session:
            key = await create_key(config, "editor", "--scopes", *SCOPES)
            calls = Calls(session, running.api, key)
            link = await calls.made("/v1/links", {"url": "https://example.com/"})
            status, told, _ = await calls.call("patch", link, {"tags": ["x"]}, If_Match='"1"')
            assert (status, told["code"]) == (412, "version_conflict")
            assert (await calls.call("patch", link, {"tags": ["x"]}))[0] == 200
