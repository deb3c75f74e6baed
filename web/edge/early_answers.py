"""Answers to what never becomes a request: bad HTTP, a head too large or too slow, no room.

Owns the octets of these answers, and which problem an error of aiohttp's parser is. Must not decide
when one is due. They are the same on every listener, and end their connection. They repeat nothing
that the client sent.
"""

from __future__ import annotations

from email.utils import formatdate

from aiohttp import http_exceptions, web

from web.edge.problems import ProblemError, problem_response
from web.edge.request_ids import REQUEST_ID_HEADER

TARGET_BYTES_MAX = 8190  # the limits of the parser; two numbers, since its error names only them
FIELD_BYTES_MAX = 8192
_INSTANCE = "/"

_DETAILS = {
    "malformed_request": "this is no HTTP/1.1 request",
    "uri_too_long": f"the request target has more than {TARGET_BYTES_MAX} octets",
    "head_too_large": "the header is too large, or has too many fields",
    "head_slow": "the header did not arrive in time",
    "http_version_unsupported": "HTTP/1.1 and HTTP/1.0 are spoken here",
    "expectation_failed": "100-continue is the only expectation that can be met",
    "body_too_large": "the body is too large",
    "overloaded": "too many connections are open",
    "internal": "the gateway failed to handle this request",
}
_HTTP_CODES = {413: "body_too_large", 417: "expectation_failed"}


class EarlyAnswer(web.StreamResponse):
    """Octets in place of a response. Aiohttp's own would name the HTTP version of the request."""

    def __init__(self, octets: bytes) -> None:
        super().__init__()
        self.force_close()
        self.octets = octets

    async def prepare(self, request: web.BaseRequest) -> None:
        """Write them, if the client is still there."""
        if request.transport is not None:
            request.transport.write(self.octets)

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing more: prepare() wrote all."""


def early_octets(code: str, request_id: str, always: str, *, body: bool = True) -> bytes:
    """The whole answer. `always`: lines of every answer. `body` is False for a HEAD request."""
    response = problem_response(ProblemError(code, _DETAILS[code]), _INSTANCE, request_id)
    content = response.body
    assert isinstance(content, bytes)
    fields = "".join(f"{name}: {value}\r\n" for name, value in response.headers.items())
    head = (
        f"HTTP/1.1 {response.status} {response.reason}\r\n{fields}"
        f"{REQUEST_ID_HEADER}: {request_id}\r\nContent-Length: {len(content)}\r\n"
        f"Date: {formatdate(usegmt=True)}\r\n{always}Connection: close\r\n\r\n"
    )
    return head.encode() + (content if body else b"")


def parser_refusal(error: BaseException | None) -> str:
    """The problem code for an error of aiohttp's parser."""
    if isinstance(error, http_exceptions.LineTooLong):
        limit = error.args[1]
        return "uri_too_long" if limit == TARGET_BYTES_MAX else "head_too_large"
    if isinstance(error, http_exceptions.BadHttpMessage) and error.args == (_TOO_MANY,):
        return "head_too_large"
    return "malformed_request"


def raised_refusal(error: web.HTTPException) -> str:
    """The problem code for what aiohttp raises before a request reaches our handlers."""
    return _HTTP_CODES.get(error.status, "malformed_request")


_TOO_MANY = "Too many headers received"
