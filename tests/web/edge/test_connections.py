"""How long a connection may say nothing, how many there may be, and what is refused before a
request.

The same on both listeners.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from gateway.config.settings import HttpSettings
from tests.web import served
from tests.web.listening import Port, listening
from tests.web.raw_http import Answer, Watched, ask, pieces, read_answer, request
from tests.web.served import running_api
from web.edge import listener
from web.edge.connection import (
    FIRST_SECONDS,
    HEAD_BYTES_MAX,
    HEAD_SECONDS,
    UNREAD_SECONDS,
)
from web.edge.listener import LOG_SECONDS, ROOM_SECONDS
from web.server import LISTENER, create_app

GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
LONG = b"8613812345678" * 700  # longer than a line or field may be

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture(params=["api", "links"])
async def port(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Port]:
    """Either of the two; its connections are looked at all the time."""
    monkeypatch.setattr(listener, "LOOK_SECONDS", 0.01)
    if request.param == "links":
        async with listening() as running:
            yield running
        return
    apps: list[web.Application] = []

    def creating(*arguments: Any) -> web.Application:
        apps.append(create_app(*arguments))
        return apps[0]

    monkeypatch.setattr(served, "create_app", creating)
    async with running_api() as api:
        await api.session.close()
        yield Port(apps[0][LISTENER], api.port, api.time)


async def opened(port: Port) -> Streams:
    return await asyncio.open_connection("127.0.0.1", port.port)


async def answer_to(port: Port, data: bytes) -> Answer:
    reader, writer = await opened(port)
    writer.write(data)
    answer = await read_answer(reader)
    writer.close()
    return answer


async def looked(watched: Watched) -> None:
    watched.looked_at.clear()
    await watched.looked_at.wait()


async def test_h4_who_says_nothing_is_closed_without_an_octet(port: Port, watched: Watched) -> None:
    reader, writer = await opened(port)
    await looked(watched)
    port.time[0] += FIRST_SECONDS
    await looked(watched)
    assert port.count("sms_http_connections") == 1
    port.time[0] += 0.1
    assert await reader.read() == b""
    writer.close()
    assert port.count("sms_http_connections_closed_total", "silent") == 1
    assert port.count("sms_http_connections") == 0


@pytest.mark.parametrize("sent", [b"G", b"GET /x HTTP/1.1\r\nHost: x\r\nX: y"])
async def test_h4_half_a_head_is_408(port: Port, watched: Watched, sent: bytes) -> None:
    reader, writer = await opened(port)
    writer.write(sent)
    await watched.heard.wait()
    port.time[0] += HEAD_SECONDS + 0.1
    answer = await read_answer(reader)
    assert answer.status == "HTTP/1.1 408 Request Timeout"
    assert msgspec.json.decode(answer.body)["code"] == "head_slow"
    assert await reader.read() == b""
    writer.close()


async def test_h4_an_octet_now_and_then_does_not_prolong_a_head(
    port: Port, watched: Watched
) -> None:
    reader, writer = await opened(port)
    for octet in pieces(GET[:3], 1):
        watched.heard.clear()
        writer.write(octet)
        await watched.heard.wait()
        port.time[0] += HEAD_SECONDS / 3 + 0.1
    assert (await read_answer(reader)).status == "HTTP/1.1 408 Request Timeout"
    writer.close()


async def test_h4_half_a_head_behind_an_answer_is_408(port: Port, watched: Watched) -> None:
    reader, writer = await opened(port)
    writer.write(GET)
    await read_answer(reader)
    watched.heard.clear()
    writer.write(GET[:-2])
    await watched.heard.wait()
    port.time[0] += HEAD_SECONDS + 0.1
    assert (await read_answer(reader)).status == "HTTP/1.1 408 Request Timeout"
    writer.close()


async def test_h4_an_idle_connection_is_kept_for_as_long_as_set(
    port: Port, watched: Watched
) -> None:
    reader, writer = await opened(port)
    for _ in range(2):
        writer.write(GET)
        assert (await read_answer(reader)).status == "HTTP/1.1 200 OK"
        await looked(watched)
        port.time[0] += 75.0
        await looked(watched)
    port.time[0] += 0.1
    assert await reader.read() == b""
    writer.close()
    assert port.count("sms_http_connections_closed_total", "idle") == 1


async def test_h4_a_head_without_end_is_431(port: Port) -> None:
    reader, writer = await opened(port)
    writer.write(GET[:-2])
    field = b"X%03d: " + b"x" * 4000 + b"\r\n"
    for number in range(HEAD_BYTES_MAX // 4000 + 2):
        writer.write(field % number)
        await asyncio.sleep(0)
    answer = await read_answer(reader)
    assert answer.status == "HTTP/1.1 431 Request Header Fields Too Large"
    writer.close()


async def test_h4_a_body_is_no_head(port: Port) -> None:
    body = b"x" * (4 * HEAD_BYTES_MAX)
    head = b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
    reader, writer = await opened(port)
    for _ in range(2):
        for piece in pieces(head + body, 50_000):
            writer.write(piece)
            await asyncio.sleep(0)
        assert (await read_answer(reader)).status[:12] in ("HTTP/1.1 200", "HTTP/1.1 405")
    writer.close()


async def test_h4_an_answer_that_nobody_reads_does_not_stay(watched: Watched) -> None:
    async def much(_request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=bytes(32 << 20))

    async with listening(much) as port:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, ("127.0.0.1", port.port))
        await loop.sock_sendall(client, GET)
        await watched.choked.wait()
        for unread in port.listener._open:
            unread.look(port.time[0])
        port.time[0] += UNREAD_SECONDS + 0.1
        for unread in port.listener._open:
            unread.look(port.time[0])
        await watched.lost.wait()
        assert port.count("sms_http_connections_closed_total", "unread") == 1
        client.close()


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"GET /" + LONG + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, "uri_too_long"),
        (b"GET /" + LONG, 414, "uri_too_long"),
        (GET[:-2] + b"X-Number: " + LONG + b"\r\n\r\n", 431, "head_too_large"),
        (GET[:-2] + LONG + b": 1\r\n\r\n", 431, "head_too_large"),
        (GET[:-2] + b"X: 8613812345678\r\n" * 200 + b"\r\n", 431, "head_too_large"),
        (GET[:-2] + b"X: 8613812345678\0\r\n\r\n", 400, "malformed_request"),
        (b"GET 8613812345678 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "malformed_request"),
        (b"GET http://[8613812345678 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "malformed_request"),
        (b"\x16\x03\x01\x00\xa5\x01", 400, "malformed_request"),
        (b"GET /8613812345678 HTTP/1.1\r\n\r\n", 400, "malformed_request"),
        (GET + b"GET /8613812345678 HTTP/7\r\n\r\n", 400, "malformed_request"),
        (GET + b"GET /" + LONG + b" HTTP/1.1\r\n\r\n", 414, "uri_too_long"),
    ],
)
async def test_h5_what_is_no_request_is_a_problem_that_repeats_nothing(
    port: Port, sent: bytes, status: int, code: str
) -> None:
    reader, writer = await opened(port)
    with capture_logs() as lines:
        if sent.startswith(GET):  # behind another
            writer.write(GET)
            await read_answer(reader)
        writer.write(sent.removeprefix(GET))
        answer = await read_answer(reader)
    rest = await reader.read()
    writer.close()
    problem = msgspec.json.decode(answer.body)
    assert answer.status.startswith(f"HTTP/1.1 {status} ")
    assert (problem["code"], problem["status"]) == (code, status)
    assert answer.field("Content-Type") == "application/problem+json"
    assert answer.field("X-Request-Id") == problem["request_id"] != ""
    assert answer.field("Connection") == "close"
    assert b"13812345678" not in answer.body + rest + str(answer.fields).encode()
    assert lines == []
    assert port.count("sms_http_early_answers_total", str(status)) == 1


async def test_h5_what_aiohttp_raises_before_the_application_is_a_problem_too() -> None:
    async def refusing(_request: web.BaseRequest) -> web.StreamResponse:
        raise web.HTTPExpectationFailed(text="Unknown Expect: 8613812345678")

    async with listening(refusing) as port:
        answer = await answer_to(port, GET[:-2] + b"X-Request-Id: a.1\r\n\r\n")
    assert answer.status == "HTTP/1.1 417 Expectation Failed"
    assert answer.field("X-Request-Id") == "a.1"
    assert b"138123" not in answer.body
    async with running_api() as api:
        data = request(api, {}, "Expect: 8613812345678", line="GET /healthz HTTP/1.1")
        assert (await ask(api, data)).without_ids().body == answer.body.replace(b"a.1", b"req")


async def test_h5_an_error_of_the_application_is_a_problem_too() -> None:
    async def failing(_request: web.BaseRequest) -> web.StreamResponse:
        raise RuntimeError("secret")

    async with listening(failing) as port:
        with capture_logs() as lines:
            answer = await answer_to(port, GET)
    assert answer.status == "HTTP/1.1 500 Internal Server Error"
    assert b"secret" not in answer.body
    assert [line["event"] for line in lines] == ["request failed"]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n", 505),
        (b"GET /healthz HTTP/3.0\r\nHost: x\r\n\r\n", 505),
        (b"GET /healthz HTTP/1.2\r\nHost: x\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"GET /healthz HTTP/0.9\r\n\r\n", 400),
        (b"GET /healthz\r\n", 400),
        (b"\r\nGET /healthz\n", 400),
    ],
)
async def test_h11_another_version_is_not_answered_in_kind(
    port: Port, sent: bytes, status: int
) -> None:
    assert (await answer_to(port, sent)).status.startswith(f"HTTP/1.1 {status} ")


async def test_h11_another_version_behind_a_request_or_in_pieces(port: Port) -> None:
    other = b"GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n"
    reader, writer = await opened(port)
    writer.write(GET + other)
    assert (await read_answer(reader)).status == "HTTP/1.1 200 OK"
    assert (await read_answer(reader)).status.startswith("HTTP/1.1 505 ")
    writer.close()
    reader, writer = await opened(port)
    for octet in pieces(other, 1):
        writer.write(octet)
        await asyncio.sleep(0)
    assert (await read_answer(reader)).status.startswith("HTTP/1.1 505 ")
    writer.close()


async def test_h11_http_1_0_is_spoken(port: Port) -> None:
    reader, writer = await opened(port)
    writer.write(b"GET /healthz HTTP/1.0\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.0 200 OK")
    writer.close()


async def test_h11_who_ends_his_input_is_answered_first(port: Port) -> None:
    reader, writer = await opened(port)
    writer.write(GET * 3)
    writer.write_eof()
    for _ in range(3):
        assert (await read_answer(reader)).status == "HTTP/1.1 200 OK"
    assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize(
    "sent", [b"", GET[:9], b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{}"]
)
async def test_h11_who_ends_his_input_too_early_is_closed(port: Port, sent: bytes) -> None:
    reader, writer = await opened(port)
    writer.write(sent)
    writer.write_eof()
    await reader.read()
    writer.close()


async def test_h8_above_its_bound_a_listener_says_so_and_others_go_on(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "LOOK_SECONDS", 0.01)
    async with listening(connections_max=3) as full, listening(name="api") as other:
        streams = [await opened(full) for _ in range(3)]
        for _, writer in streams:
            writer.write(GET)
        for reader, _ in streams:
            await read_answer(reader)
        with capture_logs() as lines:
            full.time[0] += LOG_SECONDS
            for _ in range(4):
                reader, writer = await opened(full)
                answer = await read_answer(reader)
                assert answer.status == "HTTP/1.1 503 Service Unavailable"
                assert answer.field("Retry-After") == "1"
                assert await reader.read() == b""
                writer.close()
            full.time[0] += LOG_SECONDS
            await looked(watched)
            await looked(watched)
        assert sum(line["refused"] for line in lines) == 4
        assert len(lines) <= 2
        assert full.count("sms_http_connections_refused_total") == 4
        assert full.count("sms_http_connections") == full.count("sms_http_connections_max") == 3
        assert (await answer_to(other, GET)).status == "HTTP/1.1 200 OK"
        streams[0][1].close()
        await watched.lost.wait()
        while full.count("sms_http_connections") == 3:
            await asyncio.sleep(0)
        assert (await answer_to(full, GET)).status == "HTTP/1.1 200 OK"
        for _, writer in streams:
            writer.close()


async def test_h8_who_has_said_nothing_makes_room() -> None:
    async with listening(connections_max=3) as port:
        streams = [await opened(port) for _ in range(3)]
        assert (await answer_to(port, GET)).status == "HTTP/1.1 503 Service Unavailable"
        port.time[0] += ROOM_SECONDS + 0.1
        assert (await answer_to(port, GET)).status == "HTTP/1.1 200 OK"
        assert await streams[0][0].read() == b""
        assert port.count("sms_http_connections_closed_total", "crowded_out") == 1
        for _, writer in streams:
            writer.close()


async def test_a_look_at_many_connections_is_taken_in_slices(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(listener, "LOOK_CONNECTIONS", 2)
    async with listening() as port:
        streams = [await opened(port) for _ in range(5)]
        await looked(watched)
        port.time[0] += FIRST_SECONDS + 0.1
        for reader, writer in streams:
            assert await reader.read() == b""
            writer.close()


async def test_the_bounds_are_settings() -> None:
    settings = HttpSettings(connections_max=8, keep_alive_seconds=1.0)
    async with running_api(settings) as api, api.session.get(api.url + "/metrics") as response:
        page = await response.text()
    assert 'sms_http_connections_max{listener="api"} 8.0' in page
    assert 'sms_http_connections{listener="api"} 1.0' in page
