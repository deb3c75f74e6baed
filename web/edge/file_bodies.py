"""Bodies that are files: read in pieces, never held as a whole.

Owns the bounds of octets and of silence, the unpacking of gzip, and which forms a file may have.
Must not know what a row is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType

from aiohttp import web

from web.edge.bodies import BODY_SECONDS_MAX, is_packed
from web.edge.gzip_bodies import Gunzip, GzipError
from web.edge.problems import ProblemError

FILE_BYTES_MAX = 256 << 20  # unpacked: a million rows of 256 octets
CSV, NDJSON = "csv", "ndjson"
MEDIA: Mapping[str, str] = MappingProxyType({CSV: "text/csv", NDJSON: "application/x-ndjson"})
PIECE_BYTES_MAX = 64 << 10

_FORMS: Mapping[str, str] = MappingProxyType(
    {"text/csv": CSV, "application/x-ndjson": NDJSON, "application/ndjson": NDJSON}
)
_CHARSETS = frozenset({None, "utf-8", "utf8", "us-ascii"})


def form_of(request: web.Request) -> str:
    """CSV or NDJSON, as the Content-Type says. Raises ProblemError 415."""
    form = _FORMS.get(request.content_type.lower())
    if form is None:
        raise ProblemError(
            "format_unsupported",
            f"the body is sent as {request.content_type}; send {' or '.join(MEDIA.values())}",
        )
    charset = request.charset
    if (None if charset is None else charset.lower()) not in _CHARSETS:
        raise ProblemError("format_unsupported", "the body's charset is not utf-8")
    return form


async def pieces(request: web.Request) -> AsyncIterator[bytes]:
    """The body as it comes, unpacked, at most PIECE_BYTES_MAX at once.

    Raises ProblemError 400, 408, 413, 415, and what aiohttp raises for a body that is cut off.
    """
    length = request.content_length
    if length is not None and length > FILE_BYTES_MAX:
        raise _too_large()
    gunzip = Gunzip() if "Content-Encoding" in request.headers and is_packed(request) else None
    size = 0
    while not request.content.at_eof():
        async for piece in _unpacked(gunzip, await _next(request)):
            size += len(piece)
            if size > FILE_BYTES_MAX:
                raise _too_large()
            for start in range(0, len(piece), PIECE_BYTES_MAX):
                yield piece[start : start + PIECE_BYTES_MAX]
    if gunzip is not None:
        try:
            gunzip.close()
        except GzipError as error:
            raise ProblemError("malformed_request", str(error)) from None


async def _next(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(BODY_SECONDS_MAX):
            return await request.content.readany()
    except TimeoutError:
        raise ProblemError(
            "body_slow", f"nothing of the body came for {BODY_SECONDS_MAX:.0f} s"
        ) from None


async def _unpacked(gunzip: Gunzip | None, piece: bytes) -> AsyncIterator[bytes]:
    if gunzip is None:
        yield piece
        return
    gunzip.feed(piece)
    while gunzip.waits:
        try:
            yield gunzip.slice()
        except GzipError as error:
            raise ProblemError("malformed_request", str(error)) from None
        await asyncio.sleep(0)


def _too_large() -> ProblemError:
    return ProblemError("body_too_large", f"the file has more than {FILE_BYTES_MAX} bytes")
