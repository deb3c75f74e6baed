"""Reading request bodies within bounds: one body, all bodies together, and time.

Owns the budget of octets held for requests, the unpacking of gzip, and the refusals at the limits.
Must not know what a body means, beyond that it is JSON.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from aiohttp import StreamReader, web

from storage.faults import Overloaded
from web.edge.gzip_bodies import Gunzip, GzipError
from web.edge.problems import ProblemError

BODY_SECONDS_MAX = 30.0
SMALL_BYTES = 4096  # less than the connection's own buffer: not counted
JSON = "application/json"

_GZIP = frozenset({"gzip", "x-gzip"})
_PLAIN = frozenset({"", "identity"})
_RESERVED = web.RequestKey("reserved", int)


class BodyReader:
    """Reads JSON bodies of up to `body_bytes_max`, and holds at most `bytes_max` of them.

    Without the second bound a hundred slow clients could hold 800 MiB of half-read batches. Small
    bodies do not count, since their connections hold more than that. A packed body counts by what
    it unpacks to.
    """

    def __init__(self, *, body_bytes_max: int, bytes_max: int) -> None:
        self._body_bytes_max = body_bytes_max
        self._bytes_max = bytes_max
        self._held = 0

    async def read(self, request: web.Request) -> bytes:
        """The body. release() gives its octets back, when the request is answered.

        Raises ProblemError 400, 408, 413, 415, Overloaded. A refused body is not read. Verify the
        key first: unpacking is work.
        """
        content_type = request.headers.get("Content-Type")
        if content_type != JSON and request.content_type != JSON:
            raise ProblemError("not_json", f"the body is sent as {request.content_type}")
        packed = "Content-Encoding" in request.headers and is_packed(request)
        length = request.content_length
        if length is not None and length > self._body_bytes_max:
            raise self._too_large()
        if length is not None and length > SMALL_BYTES and not packed:
            self._reserve(request, length)
        if not packed and length is not None and request.content.is_eof():
            return await request.read()
        try:
            async with asyncio.timeout(BODY_SECONDS_MAX):
                if packed:
                    return await self._unpacked(request)
                return await self._plain(request, counted=length is not None)
        except TimeoutError:
            raise ProblemError("body_slow", "the body did not arrive in time") from None

    def release(self, request: web.Request) -> None:
        """The request is answered. Does nothing for one that holds nothing."""
        if self._held:
            self._held -= request.get(_RESERVED, 0)

    async def _plain(self, request: web.Request, *, counted: bool) -> bytes:
        pieces = bytearray()
        async for piece in _pieces(request.content):
            self._add(request, pieces, piece, counted=counted)
        return bytes(pieces)

    async def _unpacked(self, request: web.Request) -> bytes:
        """Unpack in slices, with a turn for others between two."""
        gunzip = Gunzip()
        pieces = bytearray()
        try:
            async for packed in _pieces(request.content):
                gunzip.feed(packed)
                while gunzip.waits:
                    self._add(request, pieces, gunzip.slice(), counted=False)
                    await asyncio.sleep(0)
            gunzip.close()
        except GzipError as error:
            raise ProblemError("malformed_request", str(error)) from None
        return bytes(pieces)

    def _add(self, request: web.Request, pieces: bytearray, piece: bytes, *, counted: bool) -> None:
        if len(pieces) + len(piece) > self._body_bytes_max:
            raise self._too_large()
        if not counted and len(pieces) + len(piece) > SMALL_BYTES:
            self._reserve(request, len(pieces) + len(piece))
        pieces += piece

    def _reserve(self, request: web.Request, size: int) -> None:
        """Reserve so many octets in all for this request."""
        more = size - request.get(_RESERVED, 0)
        if self._held + more > self._bytes_max:
            raise Overloaded()
        self._held += more
        request[_RESERVED] = size

    def _too_large(self) -> ProblemError:
        return ProblemError(
            "body_too_large", f"the body has more than {int(self._body_bytes_max)} bytes"
        )


async def _pieces(content: StreamReader) -> AsyncIterator[bytes]:
    """The body as it comes. A slice of one piece is worked on without copying the others."""
    while not content.at_eof():
        yield await content.readany()


def is_packed(request: web.Request) -> bool:
    """Whether it is gzip. Raises ProblemError 415, which names what may be sent (RFC 9110 section
    15.5.16).
    """
    coding = ",".join(request.headers.getall("Content-Encoding")).strip().lower()
    if coding in _PLAIN:
        return False
    if coding in _GZIP:
        return True
    raise ProblemError(
        "content_encoding_unsupported",
        "the body's Content-Encoding is not gzip",
        headers={"Accept-Encoding": "gzip"},
    )
