"""The Idempotency-Key header: what is replayed, what is refused, what is forgotten."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from gateway.accept.models import Overloaded, StorageDown
from tests.web.edge import Api

GOOD = {"to": "+8613812345678", "text": "Your code is 123456"}
URL = "/v1/messages"
BATCH = "/v1/messages/batch"
KEY = {"Idempotency-Key": "order:1042_a-B"}


async def raw(
    api: Api, url: str, body: object, headers: dict[str, str]
) -> tuple[aiohttp.ClientResponse, bytes]:
    async with api.session.post(
        api.url + url, json=body, headers={**api.headers, **headers}
    ) as response:
        return response, await response.read()


@pytest.mark.parametrize(
    ("url", "body"),
    [
        (URL, GOOD),
        (BATCH, {"messages": [GOOD, {"to": "x"}]}),
        (URL, {"to": "12", "text": "x"}),
        (BATCH, {"messages": []}),
        (BATCH, {"messages": 7}),
    ],
    ids=["message", "batch", "refused", "empty batch", "no batch"],
)
async def test_e91_the_same_request_again_is_answered_byte_for_byte(
    api: Api, url: str, body: object
) -> None:
    first, answer = await raw(api, url, body, KEY)
    assert "Idempotency-Replayed" not in first.headers
    stored = len(api.memory.stored)
    again, same = await raw(api, url, body, KEY)
    assert same == answer
    assert (again.status, again.content_type) == (first.status, first.content_type)
    assert again.headers.get("Location") == first.headers.get("Location")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(api.memory.stored) == stored == (first.status == 202)


async def test_a_key_is_of_its_account_and_address(api: Api) -> None:
    await api.post(URL, GOOD, KEY)
    other = api.new_key(2, "messages:send")
    body = {**GOOD, "from": "SHOP"}
    response, _ = await api.post(URL, body, {**KEY, **other})
    assert response.status == 202
    response, _ = await api.post(BATCH, {"messages": [GOOD]}, KEY)
    assert response.status == 202
    assert len(api.memory.stored) == 3


async def test_another_body_under_the_same_key_is_422(api: Api) -> None:
    await api.post(URL, GOOD, KEY)
    response, problem = await api.post(URL, {**GOOD, "text": "other"}, KEY)
    assert (response.status, problem["code"]) == (422, "idempotency_key_reused")
    assert len(api.memory.stored) == 1


async def test_a_request_in_progress_is_409(api: Api) -> None:
    api.memory.accepting = asyncio.Event()
    api.memory.validating.clear()
    first = asyncio.create_task(api.post(URL, GOOD, KEY))
    await api.memory.validating.wait()
    response, problem = await api.post(URL, GOOD, KEY)
    assert (response.status, problem["code"]) == (409, "idempotency_in_progress")
    assert int(response.headers["Retry-After"]) >= 1
    api.memory.accepting.set()
    _, body = await first
    _, again = await api.post(URL, GOOD, KEY)
    assert again == body
    assert len(api.memory.stored) == 1


@pytest.mark.parametrize("failure", [StorageDown(1), Overloaded(1), ValueError("a defect")])
async def test_a_failure_of_ours_is_not_kept(api: Api, failure: BaseException) -> None:
    api.memory.failure = failure
    response, _ = await api.post(URL, GOOD, KEY)
    assert response.status >= 500
    api.memory.failure = None
    response, _ = await api.post(URL, GOOD, KEY)
    assert response.status == 202
    assert "Idempotency-Replayed" not in response.headers


@pytest.mark.parametrize("key", ["", " ", "a b", "é", "x" * 256, "a,b"])
async def test_a_malformed_key_is_400(api: Api, key: str) -> None:
    response, problem = await api.post(URL, GOOD, {"Idempotency-Key": key})
    assert (response.status, problem["code"]) == (400, "idempotency_key_invalid")
    assert api.memory.stored == {}
