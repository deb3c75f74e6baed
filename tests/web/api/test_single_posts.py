"""Single messages go past aiohttp: nobody can tell, and no client can make use of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from storage.faults import Overloaded, StorageDown
from tests.web.edge.test_request_limits import SECOND, Clock, limits
from tests.web.raw_http import (
    GOOD,
    REFUSED,
    THEIR_WAY,
    ask,
    connected,
    pieces,
    read_answer,
    request,
)
from tests.web.served import Api, running_api

GET = "GET /healthz HTTP/1.1"


BODIES: Sequence[object] = [
    GOOD,
    {**GOOD, "category": "otp"},
    {**GOOD, "to": "+8613900000000"},
    {**GOOD, "text": "é" * 300},
    {},
    [],
    b"{",
    b"\xff",
    b"null",
    b"[" * 2000,
    b'{"to":"+8613812345678","text":"\\ud800"}',
    {"to": "x"},
    {"to": "+33612345678", "text": "a"},
    {**GOOD, "text": ""},
    {**GOOD, "unknown": 1},
    {**GOOD, "category": "nope"},
    {**GOOD, "tags": ["a"] * 50},
    {**GOOD, "send_at": "x"},
    REFUSED,
]


@pytest.mark.parametrize("body", BODIES)
async def test_a_message_is_answered_alike_both_ways(
    known: Api, taken: list[bytes], body: object
) -> None:
    ours = await ask(known, request(known, body))
    assert len(taken) == 1
    theirs = await ask(known, request(known, body, THEIR_WAY))
    assert len(taken) == 1
    assert ours.without_ids() == theirs.without_ids()


@pytest.mark.parametrize(
    "fields",
    [
        ["X-Request-Id: abc.1"],
        ["X-Request-Id: a b"],
        ["X-Request-Id: abc%0d%0aSet-Cookie:x"],
        ["X-Request-Id: a\rSet-Cookie: x"],
        ["X-Request-Id:"],
        ["X-Request-Id: " + "x" * 129],
        ["Accept-Encoding: gzip", "Accept: text/html"],
        ["Connection: keep-alive"],
        ["User-Agent: a", "User-Agent: b"],
        ["X-Forwarded-For: a", "X-Forwarded-For: b"],
        ["Sec-WebSocket-Key1: a"],
        [f"X{number}: a" for number in range(130)],
    ],
)
async def test_fields_are_answered_alike_both_ways(known: Api, fields: list[str]) -> None:
    ours = await ask(known, request(known, GOOD, *fields))
    theirs = await ask(known, request(known, GOOD, *fields, THEIR_WAY))
    assert ours.without_ids() == theirs.without_ids()


@pytest.mark.parametrize(
    "failure",
    [
        Overloaded(3), Overloaded(3, {"commit": 5}), StorageDown(2), RuntimeError("x"),
        ConnectionError("x"), TimeoutError("x"),
    ],
)  # fmt: skip
async def test_a_failure_is_answered_alike_both_ways(
    known: Api, taken: list[bytes], failure: Exception
) -> None:
    known.memory.failure = failure
    ours = await ask(known, request(known, GOOD))
    assert len(taken) == 1
    theirs = await ask(known, request(known, GOOD, THEIR_WAY))
    assert ours.without_ids() == theirs.without_ids()


async def test_a_refusal_by_the_accepter_is_answered_alike_both_ways(known: Api) -> None:
    known.memory.refuse_from = 0
    ours = await ask(known, request(known, GOOD))
    theirs = await ask(known, request(known, GOOD, THEIR_WAY))
    assert ours.without_ids() == theirs.without_ids()


async def test_a_repeat_is_answered_alike_both_ways(known: Api) -> None:
    message = {**GOOD, "client_ref": "a"}
    first = await ask(known, request(known, message))
    ours = await ask(known, request(known, message))
    theirs = await ask(known, request(known, message, THEIR_WAY))
    assert ours.field("Location") == theirs.field("Location") == first.field("Location")
    assert ours.without_ids() == theirs.without_ids()


async def test_quotas_are_counted_and_answered_alike_both_ways() -> None:
    answers = []
    for fields in ([], [THEIR_WAY]):
        clock = Clock()
        async with running_api(limits=limits(clock)) as api:
            await api.post("/v1/messages", GOOD)
            clock.now += SECOND
            answers.append(
                [(await ask(api, request(api, GOOD, *fields))).without_ids() for _ in range(3)]
            )
    ours, theirs = answers
    assert [each.status for each in ours] == [
        "HTTP/1.1 202 Accepted", "HTTP/1.1 202 Accepted", "HTTP/1.1 429 Too Many Requests",
    ]  # fmt: skip
    assert ours == theirs


async def test_both_ways_are_counted_alike(known: Api, taken: list[bytes]) -> None:
    for fields in ([], [THEIR_WAY]):
        for body in (GOOD, REFUSED):
            await ask(known, request(known, body, *fields))
    assert len(taken) == 2
    async with known.session.get(known.url + "/metrics") as response:
        page = await response.text()
    assert 'sms_http_requests_total{endpoint="/v1/messages",method="POST",status="202"} 3.0' in page
    assert 'sms_http_requests_total{endpoint="/v1/messages",method="POST",status="422"} 2.0' in page


def mixture(known: Api) -> list[bytes]:
    """Requests of every kind, each with its own id."""
    in_chunks = msgspec.json.encode(GOOD)
    chunked = request(known, b"", "Transfer-Encoding: chunked", "X-Request-Id: 3")
    chunked = chunked.replace(b"Content-Length: 0\r\n", b"")
    batch = "POST /v1/messages/batch HTTP/1.1"
    return [
        request(known, GOOD, "X-Request-Id: 0"),
        request(known, b"", "X-Request-Id: 1", line=GET),
        request(known, GOOD, "X-Request-Id: 2", line="POST /v1/messages?x=1 HTTP/1.1"),
        chunked + b"%x\r\n%b\r\n0\r\n\r\n" % (len(in_chunks), in_chunks),
        request(known, REFUSED, "X-Request-Id: 4"),
        request(known, GOOD, "X-Request-Id: 5", "Expect: 100-continue"),
        request(known, {"messages": [GOOD] * 500}, "X-Request-Id: 6", line=batch),
        request(known, b"x" * 140_000, "X-Request-Id: 7", line="PUT /v1/messages HTTP/1.1"),
        request(known, GOOD, "X-Request-Id: 8", "Idempotency-Key: a"),
        request(known, GOOD, "X-Request-Id: 9").replace(b"Bearer", b"Basic"),
        request(known, GOOD, "X-Request-Id: 10"),
    ]


@pytest.mark.parametrize("rotation", [0, 3, 6, 9])
@pytest.mark.parametrize("size", [None, 1 << 20, 50_000, 1201, 97])
async def test_a_mixture_of_requests_is_answered_in_order_and_each_once(
    known: Api, rotation: int, size: int | None
) -> None:
    requests = mixture(known)
    requests = requests[rotation:] + requests[:rotation]
    last = request(known, GOOD, "X-Request-Id: last", "Connection: close")
    segments = [*requests, last] if size is None else pieces(b"".join([*requests, last]), size)
    async with connected(known) as (reader, writer):
        for segment in segments:
            writer.write(segment)
            await asyncio.sleep(0)  # the server may take it or not
        answered = [(await read_answer(reader)).field("X-Request-Id") for _ in range(12)]
        assert await reader.read() == b""
    numbers = [*range(11)][rotation:] + [*range(11)][:rotation]
    assert answered == [*map(str, numbers), "last"]
    assert len(known.memory.stored) == 506  # one asks for what there is not, with ?x=1


async def test_http_1_0_is_answered_and_closed(known: Api) -> None:
    async with connected(known) as (reader, writer):
        writer.write(request(known, GOOD))
        assert (await read_answer(reader)).status == "HTTP/1.1 202 Accepted"
        writer.write(request(known, GOOD, line="POST /v1/messages HTTP/1.0"))
        assert (await read_answer(reader)).status == "HTTP/1.0 202 Accepted"
        assert await reader.read() == b""
