"""What surrounds every request: errors as problems, request ids, limits of HTTP itself."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Mapping

import pytest
from structlog.testing import capture_logs

from gateway.config.settings import HttpSettings
from gateway.config.values import Address
from gateway.wiring.web import server_settings
from tests.web.api.test_messages import GOOD, URL
from tests.web.served import Api, in_memory, running_api
from web.edge import bodies
from web.edge.problems import DOCUMENT, KINDS
from web.server import HttpServer, create_app
from web.services import Component


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/message", "/v1/messages/a/b/c", "/%00", "/é"])
async def test_an_unknown_path_is_a_404_problem(api: Api, path: str) -> None:
    response, problem = await api.get(path)
    assert response.content_type == "application/problem+json"
    assert (response.status, problem["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/messages", {"GET", "HEAD", "POST"}),
        ("DELETE", "/v1/messages/batch", {"POST"}),
        ("PUT", "/v1/messages/msg_1", {"GET", "HEAD"}),
        ("POST", "/v1/reports/delivery", {"GET", "HEAD"}),
        ("POST", "/healthz", {"GET", "HEAD"}),
    ],
)
async def test_a_wrong_method_is_a_405_problem_that_names_the_right_ones(
    api: Api, method: str, path: str, allowed: set[str]
) -> None:
    response, problem = await api.call(method, path, None, {})
    assert (response.status, problem["code"]) == (405, "method_not_allowed")
    assert {word.strip() for word in response.headers["Allow"].split(",")} == allowed


async def test_a_plain_request_id_comes_back_and_another_is_replaced(api: Api) -> None:
    response, _ = await api.post(URL, GOOD, {"X-Request-Id": "my-id.1"})
    assert response.headers["X-Request-Id"] == "my-id.1"
    for given in ("a b", "x" * 129, "<script>", ""):
        response, problem = await api.post(URL, b"{", {"X-Request-Id": given})
        assert response.headers["X-Request-Id"].startswith("req_")
        assert problem["request_id"] == response.headers["X-Request-Id"]


async def test_an_unexpected_error_is_one_log_line_and_a_500_that_tells_nothing(api: Api) -> None:
    api.memory.failure = None
    await api.post(URL, GOOD)
    api.memory.failure = RuntimeError("secret detail")
    with capture_logs() as lines:
        response, problem = await api.post(URL, GOOD, {"X-Request-Id": "r1"})
    assert (response.status, problem["code"], problem["request_id"]) == (500, "internal", "r1")
    assert "secret" not in str(problem)
    assert [(line["request_id"], line["endpoint"]) for line in lines] == [("r1", URL)]
    assert GOOD["to"] not in str(lines)


async def raw(api: Api, data: bytes) -> bytes:
    """What the server answers to these bytes and the end of input, until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(data)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer


async def refusal(api: Api, data: bytes) -> bytes:
    """The problem the server answers with while it still expects more bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(data)
    answer = await reader.readuntil(b"}")
    writer.close()
    return answer


def head(api: Api, extra: Mapping[str, str]) -> bytes:
    """The header of a POST with key and these fields."""
    fields = {
        "Host": "x",
        "Authorization": api.headers["Authorization"],
        "Content-Type": "application/json",
        "Connection": "close",
        **extra,
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"POST {URL} HTTP/1.1\r\n{lines}\r\n".encode()


@pytest.mark.parametrize(
    ("extra", "body"),
    [
        ({"Content-Length": "100"}, b'{"to":'),
        ({"Content-Length": "4", "Content-Encoding": "gzip"}, b"nope"),
        ({"Content-Length": "4", "Content-Encoding": "deflate"}, b"nope"),
        ({"Transfer-Encoding": "chunked"}, b"zz\r\n"),
        ({"Transfer-Encoding": "chunked"}, b"5\r\n{"),
        ({"Content-Length": "-1"}, b""),
    ],
)
async def test_a_broken_body_is_never_a_500_and_never_logged_as_one(
    api: Api, extra: dict[str, str], body: bytes
) -> None:
    with capture_logs() as lines:
        answer = await raw(api, head(api, extra) + body)
    assert b" 500 " not in answer[:20]
    assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4"))
    assert lines == []
    response, _ = await api.post(URL, GOOD)
    assert response.status == 202


async def test_a_body_that_does_not_come_is_408(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_SECONDS_MAX", 0.05)
    async with running_api() as api:
        answer = await refusal(api, head(api, {"Content-Length": "100"}) + b"{")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"body_slow"' in answer


async def test_an_oversize_body_is_refused_before_it_is_read(api: Api) -> None:
    answer = await refusal(api, head(api, {"Content-Length": str(9 << 20)}))
    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_the_page_of_problems_has_an_anchor_for_every_code(api: Api) -> None:
    async with api.session.get(api.url + DOCUMENT) as response:
        assert response.content_type == "text/html"
        page = await response.text()
    for code in KINDS:
        assert f'id="{code}"' in page


ALL = {
    "Server": "smsgate",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


@pytest.mark.parametrize("path", ["/healthz", "/v1/messages", "/nowhere", "/metrics", URL])
async def test_h11_every_answer_tells_browsers_to_guess_keep_and_frame_nothing(
    api: Api, path: str
) -> None:
    response, _ = await api.get(path)
    assert {name: response.headers[name] for name in ALL} == ALL


@pytest.mark.parametrize("path", ["/docs", DOCUMENT])
async def test_h11_a_page_allows_its_own_style_sheet_and_nothing_else(api: Api, path: str) -> None:
    async with api.session.get(api.url + path) as response:
        page = await response.text()
    style = page.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = response.headers["Content-Security-Policy"].split("; ")
    assert f"style-src 'sha256-{digest}'" in policy
    assert {"default-src 'none'", "base-uri 'none'", "form-action 'none'"} <= {*policy}
    assert "frame-ancestors 'none'" in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert page.count("<style") == 1
    assert " style=" not in page
    assert "<script" not in page


@pytest.mark.parametrize("target", ["http://a.example{}", "HTTPS://b.example:1{}?"])
async def test_h11_a_target_may_be_an_absolute_url(api: Api, target: str) -> None:
    data = head(api, {"Content-Length": "2"}).replace(URL.encode(), target.format(URL).encode())
    answer = await refusal(api, data + b"{}")
    assert answer.startswith(b"HTTP/1.1 422 ")


async def test_health_needs_no_key(api: Api) -> None:
    api.headers = {}
    response, body = await api.get("/healthz")
    assert (response.status, body) == (200, {"status": "ok"})


async def test_readiness_tells_which_component_is_missing(api: Api) -> None:
    database = {"name": "database", "ok": True, "reason": None, "required": True}
    response, body = await api.get("/readyz")
    assert response.status == 200
    assert body == {"ready": True, "detailed": True, "components": [database]}
    api.memory.components[0].ok = False
    api.memory.components[0].reason = "no connection"
    response, body = await api.get("/readyz")
    assert response.status == 503
    missing = {**database, "ok": False, "reason": "no connection"}
    assert body == {"ready": False, "detailed": True, "components": [missing]}


async def test_a_component_that_is_not_required_is_shown_and_nothing_more(api: Api) -> None:
    api.memory.components.append(Component("connector b", False, "refused", required=False))
    response, body = await api.get("/readyz")
    assert response.status == 200
    assert body["ready"]
    assert body["components"][1]["reason"] == "refused"


async def test_a_port_in_use_is_an_os_error_at_start(api: Api) -> None:
    settings = server_settings(HttpSettings(listen=Address(f"127.0.0.1:{api.port}")))
    app = create_app(in_memory(api.memory, lambda: 0.0), settings)
    second = HttpServer(app, settings, drain_seconds=0)
    with pytest.raises(OSError, match="address already in use"):
        await second.start()
    await second.stop()
