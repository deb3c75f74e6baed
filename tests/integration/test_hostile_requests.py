"""Whatever stands in a parameter, a path or a header: an answer, and never 500."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import pytest
from yarl import URL

from gateway.rehearsal.running import Running
from tests.integration.running import create_key, gateway, simulator, write_config
from web.edge.scopes import SCOPES

REASON = {"X-Reveal-Reason": "a test"}

UNREADABLE = ["%00", "a%00b", "%1F", "%0A", "%C2%85", "x" * 5000]  # of any text parameter
MOMENTS = [
    "0001-01-01T00:00:00Z", "0001-01-01T00:00:00%2B14:00", "1969-12-31T23:59:59Z",
    "1970-01-01T00:00:00%2B14:00", "2101-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00",
]  # fmt: skip
HOSTILE = [
    *UNREADABLE, *MOMENTS, "", "%ED%A0%BD", "%FF", "%80", "%", "%25", "%2", "%F0%9F%98%80",
    "1970-01-01T00:00:00Z", "2100-12-31T23:59:59Z", "2026-02-30T00:00:00Z", "-1", "0", "1.5",
    "1e9", "99999999999999999999", "-99999999999999999999", "true", "null", "NaN", "[]", "%7B%7D",
    "'%3B%20DROP%20TABLE%20message%3B--", "%5C", "%E2%80%AE", "%2B8613812345678", "%2B0",
    "msg_7zzzzzzzzzzzz", "bat_7zzzzzzzzzzzz", "bat_0000000000000", "delivered", "category",
]  # fmt: skip
# In place of any value of a body.
BODIES = [
    b'"segment(\\"a\\u0000b\\")"', b'"\\ud83d"', b'["\xff"]', b"1" + b"0" * 30, b"1e400",
    b"[" * 450 + b"]" * 450,
]  # fmt: skip
HEADERS = ["Idempotency-Key", "X-Request-Id", "Accept", "X-Forwarded-For", "Cookie", "traceparent"]
OCTETS = [
    b"",
    b"\x80\xff",
    b"\xed\xa0\xbd",
    b"x" * 5000,
    b"\t",
    b'"',
    b"Bearer sk_\xff",
    b"a;q=\xff",
]


@pytest.fixture
async def running(tmp_path: Path, database_url: str) -> Any:
    async with (
        simulator(tmp_path) as carrier,
        gateway(write_config(tmp_path, database_url, carrier.port)) as running,
    ):
        key = await create_key(running.config, "hostile", "--scopes", *SCOPES)
        running.session.headers["Authorization"] = f"Bearer {key}"
        yield running
        assert "request failed" not in running.log()


async def asked(running: Running, method: str, target: str) -> tuple[int, dict[str, Any]]:
    url = URL(running.api + target, encoded=True)
    async with running.session.request(method, url, headers=REASON) as response:
        problem = "problem" in response.content_type
        return response.status, await response.json(content_type=None) if problem else {}


@pytest.mark.timeout(180)
async def test_h9_no_parameter_and_no_path_is_too_hostile(running: Running) -> None:
    _, document = await running.call("GET", "/openapi.json")
    parameters = paths = 0
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method not in ("get", "delete"):
                continue
            given = operation.get("parameters", ())
            for name in [each["name"] for each in given if each["in"] == "query"]:
                parameters += 1
                await hold_parameter(running, method, filled(path, given), name)
            if "{" in path:
                paths += 1
                for value in HOSTILE:
                    target = re.sub(r"{\w+}", value.replace("\\", ""), path)
                    status, problem = await asked(running, method, target)
                    assert status < 500, (method, target, problem)
    assert parameters > 20
    assert paths >= 4
    assert await hold_bodies(running, document) > 50
    await hold_a_long_path(running)


async def hold_a_long_path(running: Running) -> None:
    """It is part of what an Idempotency-Key is unique in, and no index takes so much."""
    url = f"{running.api}/v1/templates/{secrets.token_hex(3_000)}/versions"
    headers = {"Idempotency-Key": "long", "Content-Type": "application/json"}
    example = b'{"category":"otp","body":"x"}'
    async with running.session.post(url, data=example, headers=headers) as response:
        assert response.status == 404


async def hold_bodies(running: Running, document: dict[str, Any]) -> int:
    """Each field of each body, with each hostile value in place of the example's."""
    fields = 0
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if body is None:
                continue
            url = URL(running.api + filled(path, operation.get("parameters", ())), encoded=True)
            kinds = [body["schema"], *body["schema"].get("anyOf", ())]
            names = [each["$ref"].rpartition("/")[2] for each in kinds if "$ref" in each]
            known = [document["components"]["schemas"][name]["properties"] for name in names]
            example = {**dict.fromkeys(chain(*known)), **body.get("example", {})}
            for at in places(example):
                fields += 1
                for value in BODIES:
                    octets = msgspec.json.encode(with_raw(example, at, value))
                    headers = {"Content-Type": "application/json", "If-Match": '"1"'}
                    async with running.session.request(
                        method, url, data=octets, headers=headers
                    ) as response:
                        assert response.status < 500, (
                            method,
                            path,
                            at,
                            value,
                            await response.text(),
                        )
    return fields


def places(value: object) -> Iterator[tuple[str | int, ...]]:
    """The way to each value that holds no other."""
    if isinstance(value, dict):
        inner: Iterable[tuple[str | int, object]] = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    else:
        inner = ()
        yield ()
    for step, each in inner:
        yield from ((step, *rest) for rest in places(each))


def with_raw(value: Any, at: Sequence[str | int], raw: bytes) -> Any:
    """The same, with these octets at that place; what was null is left out."""
    if not at:
        return msgspec.Raw(raw)
    step, *rest = at
    if isinstance(value, list):
        return [with_raw(v, rest, raw) if n == step else v for n, v in enumerate(value)]
    kept = {name: each for name, each in value.items() if each is not None or name == step}
    return {**kept, step: with_raw(value[step], rest, raw)}


async def hold_parameter(running: Running, method: str, path: str, name: str) -> None:
    for value in HOSTILE:
        target = f"{path}?{name}={value}"
        status, problem = await asked(running, method, target)
        assert status < 500, (method, target, problem)
        if value in UNREADABLE:
            assert "errors" in problem, (target, problem)
            named = [each["parameter"] for each in problem["errors"]]
            assert (status, name in named) == (422, True), (target, problem)
            codes = {each["code"] for each in problem["errors"] if each["parameter"] == name}
            assert codes == {"parameter_invalid"}, (target, problem)
        if value in MOMENTS and name in ("since", "until", "created_after", "created_before"):
            assert status == 422, target
            assert name in [each["parameter"] for each in problem["errors"]], (target, problem)


def filled(path: str, given: Sequence[dict[str, Any]]) -> str:
    """With ids as the document's examples have them."""
    for each in given:
        if each["in"] == "path":
            example = each["schema"].get("examples", ["msg_0nx25tc8g2000"])[0]
            path = path.replace(f"{{{each['name']}}}", str(example).replace("+", "%2B"))
    return path


async def test_h9_no_header_is_too_hostile(running: Running) -> None:
    """Sent as octets: no client library would."""
    url = URL(running.api)
    authorization = running.session.headers["Authorization"]
    for name in (*HEADERS, "Authorization", "Content-Type"):
        for octets in OCTETS:
            rows = {"Authorization": authorization.encode(), "Content-Type": b"application/json"}
            rows |= {name: octets, "Content-Length": b"2", "Host": b"x", "Connection": b"close"}
            head = b"".join(b"%b: %b\r\n" % (key.encode(), row) for key, row in rows.items())
            reader, writer = await asyncio.open_connection(url.host, url.port)
            writer.write(b"POST /v1/messages HTTP/1.1\r\n" + head + b"\r\n{}")
            answer = await reader.read()
            writer.close()
            status = int(answer.split(b" ", 2)[1])
            assert 400 <= status < 500, (name, octets, answer)
