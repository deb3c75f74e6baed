"""Which heads take the short way to where a link leads, and what is read of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlinks.classify import RequestFacts
from web.api.link_gets import VISITORS_KEPT, LinkHeads, Visitor

HEAD = (
    b"GET /abcdefgh?utm=1 HTTP/1.1\r\nHost: s.example\r\nUser-Agent: Mozilla/5.0 (K)\r\n"
    b"Accept: text/html\r\naccept-language: zh-CN\r\nSec-Purpose: prefetch\r\n"
    b"X-Forwarded-For: 192.0.2.1, 198.51.100.2\r\n\r\n"
)


def test_a_usual_head_is_read_and_what_follows_is_left() -> None:
    heads = LinkHeads()
    for _ in range(2):
        found = heads.read(HEAD + b"GET /next")
        assert found is not None
        head, end = found
        assert (head.code, head.body_bytes, end) == ("abcdefgh", 0, len(HEAD))
        assert head.visitor == Visitor(
            "Mozilla/5.0 (K)",
            RequestFacts("text/html", "zh-CN", sec_purpose="prefetch"),
            "192.0.2.1, 198.51.100.2",
            "s.example",
        )


@pytest.mark.parametrize(
    ("what", "instead"),
    [
        (b"GET", b"HEAD"),
        (b"GET", b"POST"),
        (b"HTTP/1.1", b"HTTP/1.0"),
        (b"abcdefgh", b"abcdefg"),
        (b"abcdefgh", b"abcdefgh+"),
        (b"abcdefgh", b"abcdefghk"),
        (b"Host: s.example\r\n", b""),
        (b"Sec-Purpose: prefetch", b"Connection: close"),
        (b"Sec-Purpose: prefetch", b"Content-Length: 5"),
        (b"Sec-Purpose: prefetch", b"Transfer-Encoding: chunked"),
        (b"Sec-Purpose: prefetch", b"Host: other"),
        (b"Sec-Purpose: prefetch", b"Upgrade: h2c"),
        (b"Mozilla", b"\xff"),
        (b"\r\n\r\n", b"\r\n"),
    ],
)
def test_anything_else_is_left_to_aiohttp(what: bytes, instead: bytes) -> None:
    assert what in HEAD
    assert LinkHeads().read(HEAD.replace(what, instead, 1)) is None


@given(st.binary(max_size=200), st.integers(0, len(HEAD)))
def test_no_octets_raise(noise: bytes, place: int) -> None:
    heads = LinkHeads()
    heads.read(HEAD[:place] + noise + HEAD[place:])
    heads.read(noise)


def test_what_is_remembered_of_heads_is_bounded() -> None:
    heads = LinkHeads()
    for number in range(VISITORS_KEPT + 10):
        assert heads.read(HEAD.replace(b"192.0.2.1", b"%d" % number)) is not None
    assert len(heads._known) == VISITORS_KEPT
