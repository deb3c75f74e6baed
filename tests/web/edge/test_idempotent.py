"""The Idempotency-Key header: what is replayed, what is refused, what is forgotten."""

from __future__ import annotations

import asyncio
import re

import aiohttp
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from storage.faults import Overloaded, StorageDown
from tests.web.served import Api
from web.edge.idempotent import idempotency_key
from web.edge.problems import ProblemError
from web.edge.request_head import RequestHeads

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
    ],
    ids=["message", "batch"],
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
    assert (first.status, len(api.memory.stored)) == (202, stored)


@pytest.mark.parametrize(
    ("url", "bad", "good"),
    [
        (URL, {"to": "12", "text": "x"}, GOOD),
        (URL, {"to": 7}, GOOD),
        (BATCH, {"messages": []}, {"messages": [GOOD]}),
        (BATCH, {"messages": 7}, {"messages": [GOOD]}),
        (BATCH, {"messages": [{"to": "x"}]}, {"messages": [GOOD]}),
    ],
)
async def test_h2_a_refusal_leaves_the_key_free(
    api: Api, url: str, bad: object, good: object
) -> None:
    for _ in range(2):
        refused, _ = await raw(api, url, bad, KEY)
        assert (refused.status, refused.headers.get("Idempotency-Replayed")) == (422, None)
    taken, _ = await raw(api, url, good, KEY)
    assert (taken.status, taken.headers.get("Idempotency-Replayed")) == (202, None)
    again, _ = await raw(api, url, good, KEY)
    assert (again.status, again.headers["Idempotency-Replayed"]) == (202, "true")
    assert len(api.memory.stored) == 1


async def test_h2_a_key_in_quotes_is_the_same_key(api: Api) -> None:
    quoted = {"Idempotency-Key": '"{Idempotency-Key}"'.format_map(KEY)}
    _, first = await raw(api, URL, GOOD, KEY)
    response, again = await raw(api, URL, GOOD, quoted)
    assert (response.status, response.headers["Idempotency-Replayed"]) == (202, "true")
    assert again == first
    assert len(api.memory.stored) == 1


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


MALFORMED = ["", " ", "a b", "é", "x" * 256, "a,b", '"', '""', '"a', 'a"', '"a";p=1', "'a'"]


@pytest.mark.parametrize("key", MALFORMED)
@pytest.mark.parametrize("url", [URL, BATCH])
async def test_h2_a_malformed_key_is_400(known: Api, url: str, key: str) -> None:
    """Also on a connection whose key is known, where single messages go the short way."""
    body = GOOD if url == URL else {"messages": [GOOD]}
    response, problem = await known.post(url, body, {"Idempotency-Key": key})
    assert (response.status, problem["code"]) == (400, "idempotency_key_invalid")
    assert known.memory.stored == {}


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=8))
@example("")
@example('"k"')
@example('"k')
def test_h2_no_request_with_a_key_goes_the_way_that_reads_none(value: str) -> None:
    """The short way leaves every request that has the field, whatever it holds, to the one that
    reads it; and there is one reading.
    """
    head = f"POST /v1/messages HTTP/1.1\r\nHost: a\r\nIdempotency-Key: {value}\r\n\r\n"
    found = RequestHeads().read(head.encode())
    assert found is not None
    assert found[0].idempotency_key is not None
    stripped = found[0].idempotency_key
    bare = stripped[1:-1] if stripped[:1] == stripped[-1:] == '"' else stripped
    if re.fullmatch("[A-Za-z0-9_:-]+", bare):
        assert idempotency_key([stripped]) == bare
    else:
        with pytest.raises(ProblemError):
            idempotency_key([stripped])
