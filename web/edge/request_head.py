"""Heads of HTTP/1.1 requests that hold nothing unusual (RFC 9112).

Owns the reading of such heads, and the memory of those seen before: a client repeats its own, octet
for octet. Must not guess: what could be read in two ways is left to aiohttp's parser. Pure;
bounded.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence

import msgspec

HEAD_BYTES_MAX = 4096
BODY_BYTES_MAX = 4096
FIELDS_MAX = 100  # aiohttp's own limit is 128
HEADS_KEPT = 1024  # 4 MiB at most

_END = b"\r\n\r\n"
# Not CONNECT: what follows it is no request any more.
_LINE = re.compile(rb"((?:GET|HEAD|POST|PUT|PATCH|DELETE) /[!-~]*) HTTP/1\.1")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([!-~](?:[\t -~]*[!-~])?)?[ \t]*")
_LENGTH = re.compile(rb"0|[1-9][0-9]{0,8}")
# These change where the request ends, what its body is, or what becomes of the connection. Aiohttp
# refuses Sec-WebSocket-Key1.
_UNUSUAL = frozenset(
    {
        b"content-encoding", b"expect", b"http2-settings", b"keep-alive", b"proxy-connection",
        b"sec-websocket-key1", b"te", b"trailer", b"transfer-encoding", b"upgrade",
    }
)  # fmt: skip


class RequestHead(msgspec.Struct, frozen=True, gc=False):
    """One head. `target`: method and request target, as in "POST /v1/messages".

    `media_type`: Content-Type without parameters, in lower case. Fields are as they came, without
    white space around them; None: not there, or empty. `idempotency_key` is "" where it is there
    and empty: such a request means to be protected.
    """

    target: str
    body_bytes: int
    authorization: str | None
    media_type: str
    request_id: str | None
    idempotency_key: str | None


class RequestHeads:
    """Reads heads. One for the process."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, RequestHead] = OrderedDict()

    def read(self, data: bytes) -> tuple[RequestHead, int] | None:
        """The head that `data` begins with, and where its body begins. None: leave it to
        aiohttp.
        """
        end = data.find(_END, 0, HEAD_BYTES_MAX)
        if end < 0:
            return None
        raw = data[:end]
        head = self._known.get(raw)
        if head is None:
            head = _parsed(raw)
            if head is None:
                return None
            if len(self._known) >= HEADS_KEPT:
                self._known.popitem(last=False)
            self._known[raw] = head
        return head, end + len(_END)


def _parsed(raw: bytes) -> RequestHead | None:
    line, *rows = raw.split(b"\r\n")
    target = _LINE.fullmatch(line)
    fields = None if target is None else usual_fields(rows)
    if target is None or fields is None:
        return None
    length = fields.get(b"content-length", b"0")
    if _LENGTH.fullmatch(length) is None:
        return None
    return RequestHead(
        target[1].decode(),
        int(length),
        _text(fields, b"authorization"),
        (_text(fields, b"content-type") or "").partition(";")[0].strip().lower(),
        _text(fields, b"x-request-id"),
        fields[b"idempotency-key"].decode("ascii") if b"idempotency-key" in fields else None,
    )


def usual_fields(rows: Sequence[bytes]) -> dict[bytes, bytes] | None:
    """The fields of a head by name in lower case; None: there is something unusual among them."""
    if len(rows) > FIELDS_MAX:
        return None
    fields: dict[bytes, bytes] = {}
    for row in rows:
        field = _FIELD.fullmatch(row)
        if field is None:
            return None
        name = field[1].lower()
        if name in _UNUSUAL or name in fields:  # a field given twice is not for us to choose from
            return None
        fields[name] = field[2] or b""
    if not fields.get(b"host") or fields.get(b"connection", b"keep-alive").lower() != b"keep-alive":
        return None
    return fields


def _text(fields: dict[bytes, bytes], name: bytes) -> str | None:
    value = fields.get(name)
    return value.decode("ascii") if value else None
