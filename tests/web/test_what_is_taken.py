"""Every endpoint takes what its record names and refuses everything else, whatever is added."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from tests.web.raw_http import GOOD, ask, request
from tests.web.served import Api, running_api
from web.edge.scopes import SCOPES

OPEN = {"/metrics", "/healthz", "/readyz", "/openapi.json"}
NUMBER = "+8613812345678"
PREFIXES = {
    "/erasures/": "era", "/batches/": "bat", "/imports/": "imp", "/contacts/import/": "cim",
    "/contacts/": "con",
}  # fmt: skip
REHEARSED = ("/v1/suppressions/import", "/v1/contacts/import")  # these know the parameter
JSON = "application/json"
TAKEN_AS_FILES = {(415, "format_unsupported"), (422, "parameter_invalid")}  # a partner is missing


@pytest.fixture(scope="module")
def operations() -> list[tuple[str, str, dict[str, Any]]]:
    """Method, path with its parameters filled in, and what the document says of it."""

    async def described() -> dict[str, Any]:
        async with running_api() as api:
            _, document = await api.get("/openapi.json")
            return document

    found = [
        (method.upper(), filled(path), operation)
        for path, methods in asyncio.run(described())["paths"].items()
        for method, operation in methods.items()
    ]
    assert len(found) > 25
    return found


@pytest.fixture
async def all_may(api: Api) -> AsyncIterator[Api]:
    """With a key that may everything."""
    api.headers |= api.new_key(1, *SCOPES)
    yield api


def filled(path: str) -> str:
    values = {"name": "carrier-a", "number": NUMBER}
    prefix = next((each for part, each in PREFIXES.items() if part in path), "msg")
    return re.sub(r"{(\w+)}", lambda m: values.get(m[1], f"{prefix}_0nx25tc8g2000"), path)


def codes(problem: dict[str, Any]) -> list[tuple[str, str | None]]:
    return [
        (each["code"], each.get("parameter", each.get("pointer")))
        for each in problem.get("errors", ())
    ]


async def test_h3_no_endpoint_ignores_a_parameter(
    all_may: Api, operations: list[tuple[str, str, dict[str, Any]]]
) -> None:
    for method, path, _ in operations:
        for query in ("dry_run=true", "dry_run", "dry_run=", "%00=1", "a[]=1"):
            if "dry_run" in query and path in REHEARSED:
                continue
            response, problem = await all_may.call(method, f"{path}?{query}", None, {})
            where = f"{method} {path}?{query}"
            assert (response.status, problem.get("code")) == (422, "parameter_unknown"), where
            [*_, (code, name)] = codes(problem)
            assert code == "parameter_unknown" or name is not None, where
    assert all_may.memory.stored == {}


async def test_h3_no_endpoint_ignores_a_body(
    all_may: Api, operations: list[tuple[str, str, dict[str, Any]]]
) -> None:
    """Where none belongs every body is refused, elsewhere a field that is not known. What takes a
    file says so.
    """
    seen = set()
    headers = {"Content-Type": "application/json"}
    for method, path, operation in operations:
        bodiless = "requestBody" not in operation
        if not bodiless and JSON not in operation["requestBody"]["content"]:
            response, problem = await all_may.call(method, path, b'{"unheard_of":"x"}', headers)
            assert (response.status, problem["code"]) in TAKEN_AS_FILES, (method, path, problem)
            continue
        response, problem = await all_may.call(method, path, b'{"no_such_field":"x"}', headers)
        wanted = "body_unexpected" if bodiless else "field_unknown"
        found = {problem["code"], *(code for code, _ in codes(problem))}
        assert (response.status, wanted in found) == (422, True), (method, path, problem)
        seen.add(wanted)
    assert seen == {"body_unexpected", "field_unknown"}
    assert all_may.memory.stored == {}


async def test_h3_no_endpoint_ignores_a_field_given_twice(
    all_may: Api, operations: list[tuple[str, str, dict[str, Any]]]
) -> None:
    for method, path, operation in operations:
        if JSON not in operation.get("requestBody", {"content": {}})["content"]:
            continue
        body = operation["requestBody"]["content"][JSON].get("example", {"x": 1})
        name, value = next(iter(body.items()))
        members = msgspec.json.encode(body)[1:-1]
        again = msgspec.json.encode({name: value})[1:-1]
        response, problem = await all_may.call(
            method, path, b"{%b,%b}" % (members, again), {"Content-Type": "application/json"}
        )
        assert response.status == 422, (method, path)
        assert ("field_repeated", f"/{name}") in codes(problem), (method, path, problem)
    assert all_may.memory.stored == {}


async def test_h3_a_key_without_the_scope_hears_of_that_first(
    api: Api, operations: list[tuple[str, str, dict[str, Any]]]
) -> None:
    stranger = api.new_key(1, "nothing")
    for method, path, operation in operations:
        if "security" in operation:
            response, _ = await api.call(method, f"{path}?x=1", b"x", stranger)
            assert response.status == 403, (method, path)


@pytest.mark.parametrize("query", ["dry_run=true", "dry_run=1&x=2"])
async def test_h3_a_dry_run_sends_nothing_and_hears_of_the_preview(api: Api, query: str) -> None:
    for path, body in (("/v1/messages", GOOD), ("/v1/messages/batch", {"messages": [GOOD]})):
        response, problem = await api.post(f"{path}?{query}", body)
        assert (response.status, problem["code"]) == (422, "parameter_unknown")
        assert codes(problem)[0] == ("parameter_unknown", "dry_run")
        assert "/v1/messages/preview" in str(problem["detail"])
    assert api.memory.stored == {}


TWICE = [
    (b'{"to":"+8613812345678","to":"+8613912345678","text":"x"}', "/to"),
    (b'{"to":"+8613812345678","text":"a","text" : "b"}', "/text"),
    (b'{"to":"+8613812345678","text":"a","\\u0074ext":"b"}', "/text"),
    (b'{"to":"+8613812345678","text":"a: \\":","category":null,"category":"otp"}', "/category"),
    (
        b'{"to":"+8613812345678","text":"a","send_window":'
        b'{"from":"10:00","to":"12:00","to":"13:00"}}',
        "/send_window/to",
    ),
    (
        b'{"to":"+8613812345678","text":"a","tlvs":[{"tag":"0x1401","text":"a","text":"b"}]}',
        "/tlvs/0/text",
    ),
]


@pytest.mark.parametrize(("body", "pointer"), TWICE)
async def test_h3_a_field_given_twice_is_refused_on_both_ways_and_alone_in_a_batch(
    known: Api, taken: list[bytes], body: bytes, pointer: str
) -> None:
    for fields in ([], ["Expect: 100-continue"]):
        answer = await ask(known, request(known, body, *fields))
        assert answer.status.startswith("HTTP/1.1 422"), answer
        problem = msgspec.json.decode(answer.body)
        assert codes(problem) == [("field_repeated", pointer)]
    assert taken == [body]
    good = msgspec.json.encode(GOOD)
    _, answered = await known.post(
        "/v1/messages/batch", b'{"messages":[%b,%b,%b]}' % (good, body, good)
    )
    items: Any = answered["items"]
    assert [item.get("status") for item in items] == ["accepted", None, "accepted"]
    assert codes(items[1]["error"]) == [("field_repeated", f"/messages/1{pointer}")]


@pytest.mark.parametrize(
    "name", [b'"messages"', b'"mess\\u0061ges"', b'"messages" '], ids=["plain", "escaped", "spaced"]
)
@pytest.mark.parametrize("path", ["/v1/messages/batch", "/v1/messages/preview"])
async def test_h3_a_list_given_twice_is_refused(api: Api, path: str, name: bytes) -> None:
    items = msgspec.json.encode([GOOD])
    body = b'{"messages":%b,%b:%b}' % (items, name, items)
    response, problem = await api.post(path, body)
    assert (response.status, codes(problem)) == (422, [("field_repeated", "/messages")])
    assert api.memory.stored == {}
