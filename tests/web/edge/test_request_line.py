"""What the first line of a request alone is refused for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.edge.request_head import RequestHeads
from web.edge.request_line import refusal


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"GET / HTTP/2.0\r\n", "http_version_unsupported"),
        (b"PRI * HTTP/2.0\r\n\r\nSM", "http_version_unsupported"),
        (b"\r\n\r\nGET / HTTP/9.9\n", "http_version_unsupported"),
        (b"GET / HTTP/0.9\r\n", "malformed_request"),
        (b"GET /\r\n", "malformed_request"),
        (b"GET / \n", "malformed_request"),
        (b"GET / HTTP/1.1\r\n", None),
        (b"GET / HTTP/1.0\r\nHost: x", None),
        (b"GET / HTTP/2.0", None),  # may go on
        (b"GET /", None),
        (b"", None),
        (b"hello there you\r\n", None),
    ],
)
def test_h11_versions_are_known_by_the_first_line(data: bytes, code: str | None) -> None:
    assert refusal(data) == code


@given(st.binary(max_size=60))
def test_any_octets_are_judged_without_an_error(data: bytes) -> None:
    refusal(data)


@given(
    st.sampled_from([b"GET", b"POST", b"PATCH"]),
    st.from_regex(rb"/[!-~]{0,40}", fullmatch=True),
    st.integers(1, 60),
)
def test_what_goes_the_short_way_is_never_refused(method: bytes, target: bytes, cut: int) -> None:
    data = method + b" " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    assert RequestHeads().read(data) is not None
    assert refusal(data) is refusal(data[:cut]) is None
