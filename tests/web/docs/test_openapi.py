"""The OpenAPI document: valid, complete, and true to the types that decode and encode."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway.config.settings import HttpSettings
from gateway.wiring.web import server_settings
from messages.requests import BatchRequest, MessageRequest
from tests.web.served import Api, Memory, in_memory
from web.api.messages import MESSAGE_PROBLEMS
from web.docs.openapi import document, request_type
from web.edge.endpoints import Endpoint
from web.edge.problems import KINDS
from web.server import create_app


@pytest.fixture(scope="module")
def app() -> web.Application:
    return create_app(in_memory(Memory(), lambda: 0.0), server_settings(HttpSettings()))


async def described(api: Api) -> dict[str, Any]:
    response, body = await api.get("/openapi.json", {"Authorization": ""})
    assert response.status == 200
    assert response.content_type == "application/json"
    return body


async def test_the_document_is_valid_and_its_operations_have_names(api: Api) -> None:
    found = await described(api)
    assert found["openapi"].startswith("3.1.")
    faults = [str(fault) for fault in OpenAPIV31SpecValidator(found).iter_errors()]
    assert faults == []
    names = [
        operation["operationId"] for path in found["paths"].values() for operation in path.values()
    ]
    assert len(set(names)) == len(names)


async def test_every_mounted_route_has_its_record(api: Api, app: web.Application) -> None:
    """An endpoint is mounted from its record, so this fails only if one goes around it."""
    paths = (await described(api))["paths"]
    mounted = {
        (route.method.lower(), route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    assert ("post", "/v1/messages") in mounted
    assert mounted == {(method, path) for path, methods in paths.items() for method in methods}


async def test_every_record_is_whole(api: Api) -> None:
    for path, methods in (await described(api))["paths"].items():
        for method, operation in methods.items():
            where = f"{method} {path}"
            assert operation["summary"][0].isupper(), where
            assert not operation["summary"].endswith("."), where
            assert ("security" in operation) == path.startswith("/v1/"), where
            given = {
                each["name"] for each in operation.get("parameters", ()) if each["in"] == "path"
            }
            assert given == {word[1:-1] for word in path.split("/") if word.startswith("{")}, where
            assert any(status < "300" for status in operation["responses"]), where
            for status, answer in operation["responses"].items():
                if status in ("429", "503") and path.startswith("/v1/"):
                    assert "Retry-After" in answer["headers"], where


async def test_the_batch_shows_its_items(api: Api) -> None:
    found = await described(api)
    batch = found["components"]["schemas"]["BatchRequest"]
    assert batch["additionalProperties"] is False
    assert batch["required"] == ["messages"]
    assert batch["properties"]["messages"]["items"] == {
        "$ref": "#/components/schemas/MessageRequest"
    }
    message = found["components"]["schemas"]["MessageRequest"]
    assert set(message["properties"]) == set(MessageRequest.__struct_encode_fields__)
    assert message["required"] == ["to"]


async def test_problems_stand_under_their_status(api: Api) -> None:
    sending = (await described(api))["paths"]["/v1/messages"]["post"]["responses"]
    for status, answer in sending.items():
        if status != "202":
            _, narrowed = answer["content"]["application/problem+json"]["schema"]["allOf"]
            for code in narrowed["properties"]["code"]["enum"]:
                assert KINDS[code].status == int(status)
    assert "number_invalid" in sending["422"]["description"]


async def test_examples_are_what_the_endpoints_take(api: Api) -> None:
    """Those of paths with an id in them are typed by docs/test_documents.py."""
    for path, methods in (await described(api))["paths"].items():
        body = None if "{" in path else methods.get("post", {}).get("requestBody")
        content = {} if body is None else body["content"].get("application/json", {})
        if "example" in content:
            response, answer = await api.post(path, content["example"])
            assert response.status < 300, answer


def test_every_fault_of_a_message_is_announced() -> None:
    """A code that accept can give and the document does not name would surprise a client."""
    found: set[str] = set()
    for module in Path("messages/accept").glob("*.py"):
        found |= set(re.findall(r'(?:FieldError|Refused)\(\s*"(\w+)"', module.read_text()))
    implied = {"malformed_json", "field_unknown", "field_missing", "field_type", "field_repeated"}
    implied |= {"internal", "overloaded", "storage_unavailable"}
    assert found
    assert found - implied <= set(MESSAGE_PROBLEMS)


class Renamed(msgspec.Struct):
    """A body whose field is no list of raw items."""

    messages: list[str]


def test_raw_items_are_documented_only_where_there_are_some() -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response()

    def endpoint(kind: type[msgspec.Struct]) -> Endpoint:
        return Endpoint(
            method="POST", path="/v1/x", handler=handler, summary="X", scope="x", request=kind,
            items={"messages": MessageRequest}, answers={200: MessageRequest},
        )  # fmt: skip

    made = request_type(endpoint(BatchRequest))
    assert made is not None
    assert made.__struct_encode_fields__ == BatchRequest.__struct_encode_fields__
    with pytest.raises(TypeError, match="holds no Raw"):
        document([endpoint(Renamed)], version="1")
