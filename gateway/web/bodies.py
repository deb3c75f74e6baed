"""Reading request bodies within bounds: one body, all bodies at once, and time.

Owns the budget of bytes held for requests and the refusals at its limits. Must not know what a body
means beyond that it is said to be JSON.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

from gateway.accept.models import Overloaded
from gateway.web.problems import ProblemError

BODY_SECONDS_MAX = 30.0
SMALL_BYTES = 4096  # less than the connection's own buffer: not counted
RETRY_AFTER_SECONDS = 1
JSON = "application/json"

_RESERVED = web.RequestKey("reserved", int)


class BodyReader:
    """Reads JSON bodies of up to `body_bytes_max`, and holds at most `bytes_max` of them.

    Without the second bound a hundred slow clients could hold 800 MiB of half-read batches. Small
    bodies do not count: their connections hold more than that anyway.
    """

    def __init__(self, *, body_bytes_max: int, bytes_max: int) -> None:
        self._body_bytes_max = body_bytes_max
        self._bytes_max = bytes_max
        self._held = 0

    async def read(self, request: web.Request) -> bytes:
        """The body. `release` gives its bytes back, when the request is answered.

        Raises ProblemError 408, 413, 415, Overloaded. Nothing is read of a body that is refused.
        """
        content_type = request.headers.get("Content-Type")
        if content_type != JSON and request.content_type != JSON:
            raise ProblemError("not_json", f"the body is sent as {request.content_type}")
        length = request.content_length
        if length is not None and length > self._body_bytes_max:
            raise self._too_large()
        if length is None or length > SMALL_BYTES:
            self._reserve(request, self._body_bytes_max if length is None else length)
        try:
            if request.content.is_eof():
                return await request.read()
            async with asyncio.timeout(BODY_SECONDS_MAX):
                return await request.read()
        except web.HTTPRequestEntityTooLarge:
            raise self._too_large() from None
        except TimeoutError:
            raise ProblemError("body_slow", "the body did not arrive in time") from None

    def release(self, request: web.Request) -> None:
        """The request is answered. Does nothing for one that holds nothing."""
        if self._held:
            self._held -= request.get(_RESERVED, 0)

    def _reserve(self, request: web.Request, size: int) -> None:
        if self._held + size > self._bytes_max:
            raise Overloaded(RETRY_AFTER_SECONDS)
        self._held += size
        request[_RESERVED] = size

    def _too_large(self) -> ProblemError:
        return ProblemError(
            "body_too_large", f"the body has more than {self._body_bytes_max} bytes"
        )
