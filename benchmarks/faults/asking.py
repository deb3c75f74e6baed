"""One request of a client that does not give up, and what it makes of the answer.

Owns an attempt, and which answers are followed by another. Must not repeat it, nor count anything.
"""

from __future__ import annotations

import re

import aiohttp
import msgspec

from benchmarks.faults.world import World

ACCEPTED, FOUND = 202, 302
AGAIN = frozenset({409, 429, 500, 502, 503, 504})  # what a client sends again
NOT_STORED = frozenset({"overloaded", "storage_unavailable"})  # of an item of a batch
RETRY_SECONDS = 0.1
NO_ANSWER = (aiohttp.ClientError, TimeoutError, OSError)
LINK = re.compile(r"http://127\.0\.0\.1:\d+/(\w+)")


class ItemError(msgspec.Struct):
    """Why a message was not taken."""

    code: str


class Item(msgspec.Struct):
    """What became of one message: an id, or an error."""

    id: str | None = None
    error: ItemError | None = None


async def posted(world: World, path: str, body: bytes, key: str) -> tuple[int, bytes] | None:
    """The status and what was said. None: there was no answer."""
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    try:
        url = world.client.api + path
        async with world.session.post(url, data=body, headers=headers) as response:
            return response.status, await response.read()
    except (*NO_ANSWER, AssertionError):  # it is not there at all
        return None
