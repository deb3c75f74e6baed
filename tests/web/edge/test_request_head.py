"""Which requests are read here at all: whatever is, aiohttp's own parser reads in the same way."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_parser import HttpRequestParser
from hypothesis import example, given
from hypothesis import strategies as st

from web.edge import request_head
from web.edge.request_head import RequestHead, RequestHeads

HOST = b"Host: a.example\r\n"
POST = b"POST /v1/messages HTTP/1.1\r\n" + HOST


def read(head: bytes) -> RequestHead | None:
    found = RequestHeads().read(head + b"\r\n")
    return None if found is None else found[0]


def test_what_a_usual_request_says() -> None:
    head = read(
        POST + b"Authorization: Bearer sk_1\r\nCONTENT-TYPE:Application/JSON; charset=utf-8\r\n"
        b"content-length:  17 \r\nX-Request-Id: abc\r\nAccept: */*\r\nConnection: Keep-Alive\r\n"
        b"X-Empty:\r\n"
    )
    assert head == RequestHead(
        "POST /v1/messages", 17, "Bearer sk_1", "application/json", "abc", None
    )


def test_where_the_body_begins() -> None:
    data = POST + b"Content-Length: 2\r\n\r\n{}next"
    found = RequestHeads().read(data)
    assert found is not None
    head, start = found
    assert data[start : start + head.body_bytes] == b"{}"


@pytest.mark.parametrize(
    "head",
    [
        b"POST /v1/messages HTTP/1.0\r\n" + HOST,
        b"POST /v1/messages HTTP/2.0\r\n" + HOST,
        b"POST  /v1/messages HTTP/1.1\r\n" + HOST,
        b"POST http://a.example/v1/messages HTTP/1.1\r\n" + HOST,
        b"CONNECT /v1/messages HTTP/1.1\r\n" + HOST,
        b"OPTIONS * HTTP/1.1\r\n" + HOST,
        b"post /v1/messages HTTP/1.1\r\n" + HOST,
        b"POST /v1/messages HTTP/1.1\r\n",
        POST + HOST,
        POST + b"Host:\r\n",
        POST + b"Content-Length: 2\r\nContent-Length: 2\r\n",
        POST + b"Content-Length: 2, 2\r\n",
        POST + b"Content-Length: +2\r\n",
        POST + b"Content-Length: 02\r\n",
        POST + b"Content-Length: 2_0\r\n",
        POST + b"Content-Length: -1\r\n",
        POST + b"Content-Length:\r\n",
        POST + b"Content-Length: 1000000000\r\n",
        POST + b"Content-Length : 2\r\n",
        POST + b"Transfer-Encoding: chunked\r\n",
        POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
        POST + b"Content-Encoding: gzip\r\n",
        POST + b"Expect: 100-continue\r\n",
        POST + b"Upgrade: h2c\r\n",
        POST + b"Connection: close\r\n",
        POST + b"Connection: keep-alive, upgrade\r\n",
        POST + b"Connection:\r\n",
        POST + b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n",
        POST + b"Idempotency-Key: a\r\nidempotency-key: b\r\n",
        POST + b"User-Agent: a\r\nUser-Agent: b\r\n",
        POST + b"ETag: a\r\netag: a\r\n",
        POST + b"Sec-WebSocket-Key1: a\r\n",
        POST + b"".join(b"X%d: a\r\n" % number for number in range(request_head.FIELDS_MAX)),
        POST + b"X-Folded: a\r\n b\r\n",
        POST + b" X: a\r\n",
        POST + b"X: a\nTransfer-Encoding: chunked\r\n",
        POST + b"X: a\rTransfer-Encoding: chunked\r\n",
        POST + b"X: a\0b\r\n",
        POST + b"X: \xc3\xa9\r\n",
        POST + b"X\xc3\xa9: a\r\n",
        POST + b"no colon\r\n",
        POST + b": no name\r\n",
        POST + b"X: " + b"a" * request_head.HEAD_BYTES_MAX + b"\r\n",
        b"\r\n" + POST,
    ],
)
def test_what_is_left_to_aiohttp(head: bytes) -> None:
    assert read(head) is None


def test_a_head_that_is_not_there_yet_is_left_to_aiohttp() -> None:
    assert RequestHeads().read(POST[:-1]) is None
    assert RequestHeads().read(b"") is None


def test_no_more_heads_are_kept_than_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_head, "HEADS_KEPT", 3)
    heads = RequestHeads()
    for _ in range(2):
        for number in range(9):
            found = heads.read(POST + b"X-Request-Id: %d\r\n\r\n" % number)
            assert found is not None
            assert found[0].request_id == str(number)
    assert len(heads._known) == 3


NAMES = [
    b"Content-Length", b"content-length", b"Transfer-Encoding", b"Connection", b"Host", b"Expect",
    b"Authorization", b"Content-Type", b"X-Request-Id", b"Idempotency-Key", b"Upgrade", b"X",
    b"User-Agent", b"Max-Forwards", b"Sec-WebSocket-Key1",
]  # fmt: skip
VALUES = [
    b"0", b"2", b"5", b"+2", b"2 ", b"2,2", b"0x2", b"chunked", b"identity", b"close",
    b"keep-alive", b"upgrade", b"a.example", b"", b"Bearer x", b"application/json",
    b"100-continue", b"h2c",
]  # fmt: skip
ENDS = [b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b"\r\n ", b""]
COLONS = [b": ", b": ", b":", b" : ", b":\t", b""]
LINES = [
    b"POST /v1/messages HTTP/1.1", b"GET /v1/messages?x=1 HTTP/1.1", b"HEAD /healthz HTTP/1.1",
    b"CONNECT /x HTTP/1.1", b"POST /v1/messages HTTP/1.0", b"POST * HTTP/1.1",
    b"POST /a b HTTP/1.1",
]  # fmt: skip
FIELDS = st.lists(
    st.tuples(
        st.sampled_from(NAMES), st.sampled_from(COLONS),
        st.sampled_from(VALUES) | st.binary(max_size=4), st.sampled_from(ENDS),
    ),
    max_size=6,
)  # fmt: skip


@given(
    line=st.sampled_from(LINES),
    line_end=st.sampled_from(ENDS),
    host=st.sampled_from([HOST, HOST, b""]),
    fields=FIELDS,
    body=st.sampled_from([b"", b"{}", b"{}GET ", b"0\r\n\r\n"]),
)
@example(LINES[0], b"\r\n", HOST, [], b"")
@example(LINES[0], b"\r\n", HOST, [(b"Content-Length", b": ", b"2", b"\r\n")], b"{}")
def test_what_is_read_here_aiohttp_reads_in_the_same_way(
    line: bytes,
    line_end: bytes,
    host: bytes,
    fields: list[tuple[bytes, bytes, bytes, bytes]],
    body: bytes,
) -> None:
    data = line + line_end + host + b"".join(b"".join(field) for field in fields) + b"\r\n" + body
    found = RequestHeads().read(data)
    if found is None:
        return
    head, start = found
    end = start + head.body_bytes
    if end > len(data):
        return
    [(message, payload)], upgraded, tail = aiohttp_reads(data[:end])
    assert (upgraded, tail) == (False, b"")
    assert f"{message.method} {message.path}" == head.target
    assert not (message.should_close or message.chunked or message.upgrade or message.compression)
    assert payload.is_eof()
    assert (message.headers.get("Authorization") or None) == head.authorization
    assert (message.headers.get("X-Request-Id") or None) == head.request_id
    assert message.headers.get("Idempotency-Key") == head.idempotency_key
    assert int(message.headers.get("Content-Length", "0")) == head.body_bytes


def aiohttp_reads(data: bytes) -> tuple[list[tuple[Any, Any]], bool, bytes]:
    loop = asyncio.new_event_loop()
    try:
        parser = HttpRequestParser(BaseProtocol(loop), loop, 2**16)
        messages, upgraded, tail = parser.feed_data(data)
        return list(messages), upgraded, tail
    finally:
        loop.close()
