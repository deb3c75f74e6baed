"""An Idempotency-Key holds at each POST: it is answered under it, safe by itself, or refuses it.

Which calls there are, the OpenAPI document says.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.web.docs.test_openapi import described
from tests.web.served import Api
from web.api.repeats import ANEW, SAFE
from web.edge.idempotent import HEADER, REPLAYED
from web.edge.scopes import SCOPES

FILES = {"post_suppressions_import"}  # web/api/test_suppression_imports.py sends one twice


async def posts(api: Api) -> list[tuple[str, dict[str, Any]]]:
    """Path and operation of each POST that has a key."""
    paths = (await described(api))["paths"]
    return [
        (path, methods["post"])
        for path, methods in paths.items()
        if "post" in methods and path.startswith("/v1/")
    ]


def takes_key(operation: dict[str, Any]) -> bool:
    return any(each["name"] == HEADER for each in operation.get("parameters", ()))


def body_of(operation: dict[str, Any]) -> object:
    content = operation.get("requestBody", {}).get("content", {})
    return content.get("application/json", {}).get("example")


def filled(path: str, operation: dict[str, Any]) -> str:
    """The path with the examples of its parameters."""
    for each in operation.get("parameters", ()):
        if each["in"] == "path":
            path = path.replace(f"{{{each['name']}}}", str(next(examples(each))))
    return path


def examples(parameter: dict[str, Any]) -> Iterator[object]:
    schema = parameter["schema"]
    yield from schema.get("examples", ())
    yield from schema.get("enum", ())


async def test_each_post_takes_a_key_or_says_why_not(api: Api) -> None:
    found = await posts(api)
    without = {each["operationId"] for _, each in found if not takes_key(each)}
    assert len(without) < len(found)
    assert without == SAFE.keys() | ANEW.keys()
    assert not SAFE.keys() & ANEW.keys()


async def test_a_key_is_refused_where_each_request_does_it_anew(api: Api) -> None:
    """And nowhere else: many clients send one with every POST."""
    key = api.new_key(1, *SCOPES)
    refused = set()
    for path, operation in await posts(api):
        if takes_key(operation):
            continue
        where = filled(path, operation)
        _, told = await api.post(where, body_of(operation), {**key, HEADER: "once"})
        name = operation["operationId"]
        if told.get("code") == "idempotency_key_unused":
            refused.add(name)
            assert told["detail"].endswith(ANEW[name])
    assert refused == ANEW.keys()


async def test_the_same_key_gets_the_same_answer(api: Api) -> None:
    key = api.new_key(1, *SCOPES)
    replayed = set()
    for path, operation in await posts(api):
        name = operation["operationId"]
        if not takes_key(operation) or name in FILES:
            continue
        where, headers = filled(path, operation), {**key, HEADER: f"key-of-{name}"}
        response, first = await api.post(where, body_of(operation), headers)
        if response.status >= 300:
            assert response.status == 404, (name, first)  # nothing is stored here to be named
            continue
        again, second = await api.post(where, body_of(operation), headers)
        assert (again.status, second) == (response.status, first), name
        assert again.headers.get(REPLAYED) == "true", name
        assert again.headers.get("Cache-Control") == response.headers.get("Cache-Control"), name
        replayed.add(name)
    assert {"post_consents", "post_webhook_endpoints", "post_campaigns", "post_caps"} <= replayed
