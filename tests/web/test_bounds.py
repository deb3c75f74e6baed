"""However much is wrong with a request, little of it is looked at: no endpoint has a list without a
bound.
"""

from __future__ import annotations

import gc
import re
import weakref
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from aiohttp import web

from tests.web.served import Api
from web.edge import middleware
from web.edge.arguments import OBJECT_BYTES_MAX
from web.edge.problems import ProblemError, problem_response
from web.edge.scopes import SCOPES

MANY = 15_000
TOLD_MAX = 200  # with those that are counted only
JSON = "application/json"
Place = tuple[str, ...]
Schema = dict[str, Any]


def lists_of(schema: Schema, schemas: Schema, at: Place = ()) -> Iterator[tuple[Place, object]]:
    """Each list and each map of a body, with many wrong values for it."""
    for kind in (schema, *schema.get("anyOf", ()), *schema.get("allOf", ())):
        found = schemas[kind["$ref"].rpartition("/")[2]] if "$ref" in kind else kind
        if found is not kind and len(at) < 3:
            yield from lists_of(found, schemas, at)
        elif found.get("type") == "array":
            texts = found.get("items", {}).get("type") == "string"
            yield at, [f"x{n}" if texts else {} for n in range(MANY)]
        elif found.get("type") == "object" and "properties" not in found:
            values = found.get("additionalProperties")
            texts = isinstance(values, dict) and values.get("type") == "string"
            yield at, {f"k{n}": "" if texts else 1 for n in range(MANY)}
        for name, field in found.get("properties", {}).items() if found is kind else ():
            yield from lists_of(field, schemas, (*at, name))


def with_value(body: Schema, at: Place, value: object) -> Schema:
    """The body with another value there."""
    [name, *rest] = at
    inner = body.get(name)
    below = inner if isinstance(inner, dict) else {}
    return {**body, name: with_value(below, tuple(rest), value) if rest else value}


async def test_of_a_long_list_little_is_told(api: Api) -> None:
    api.headers |= api.new_key(1, *SCOPES)
    _, document = await api.get("/openapi.json")
    schemas: Any = document["components"]["schemas"]
    paths: Any = document["paths"]
    asked = set()
    for path, methods in paths.items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {}).get(JSON)
            for at, value in () if content is None else lists_of(content["schema"], schemas):
                body = msgspec.json.encode(with_value(content.get("example", {}), at, value))
                target = re.sub(r"{\w+}", "msg_0nx25tc8g2000", path)
                response, problem = await api.call(
                    method.upper(), target, body, {"Content-Type": JSON, "If-Match": '"1"'}
                )
                told = len(problem.get("errors", ())) + problem.get("errors_omitted", 0)
                where = f"{method} {path} {'/'.join(at)}: {response.status}"
                assert told <= TOLD_MAX, (where, told)
                asked.add((path, at))
    assert asked >= {
        ("/v1/contacts", ("attrs",)),
        ("/v1/segments/{id}/members", ("add",)),
        ("/v1/templates", ("providers",)),
        ("/v1/templates/lint", ("template", "variables")),
        ("/v1/webhook-endpoints", ("headers",)),
        ("/v1/campaigns", ("arms",)),
        ("/v1/links/bulk", ("links",)),
    }


LONG = {"x": [1] * (OBJECT_BYTES_MAX // 2)}


async def test_one_object_is_never_long(api: Api) -> None:
    """It is read more than once, and nobody else is served meanwhile."""
    for path, body in (
        ("/v1/contacts", {"external_id": "1", "attrs": LONG}),
        ("/v1/segments/preview", {"source": "has a", **LONG}),
        ("/v1/caps", LONG),
        ("/v1/links", LONG),
    ):
        response, problem = await api.post(path, body)
        assert (response.status, problem["code"]) == (413, "body_too_large"), path
    good = {"event_id": "1", "name": "login", "contact": "con_0nx25tc8g2000"}
    response, answer = await api.post("/v1/events", {"events": [good, {**good, "props": LONG}]})
    items: Any = answer["items"]
    assert (response.status, items[1]["error"]["code"]) == (200, "body_too_large")
    assert "error" not in items[0]
    many = [{"external_id": f"{n:060}"} for n in range(10_000)]
    response, problem = await api.post("/v1/segments/seg_0nx25tc8g2000/members", {"add": many})
    assert (response.status, problem["code"]) == (404, "not_found")
    response, problem = await api.post(
        "/v1/segments/seg_0nx25tc8g2000/members", {"add": [*many, many[0]]}
    )
    assert response.status == 422


async def test_what_was_refused_is_let_go_at_once(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its body, which may be large: no cycle keeps it until garbage is looked for."""
    told: list[weakref.ref[ProblemError]] = []

    def noting(problem: ProblemError, instance: str, request_id: str) -> web.Response:
        told.append(weakref.ref(problem))
        return problem_response(problem, instance, request_id)

    monkeypatch.setattr(middleware, "problem_response", noting)
    gc.disable()
    try:
        for path, body in (
            ("/v1/caps", LONG),
            ("/v1/links", {"url": "x"}),
            ("/v1/events", {"events": [1]}),
            ("/v1/segments", b"{"),
        ):
            await api.post(path, body)
        assert len(told) == 4
        assert [each() for each in told] == [None] * 4
    finally:
        gc.enable()
