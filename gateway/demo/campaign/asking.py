"""The calls of a campaign's walk, as a marketer's program makes them.

Owns them and what was answered, by a name each; the same name again replaces nothing. Must not know
what a call is for.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from gateway.rehearsal.client import Client
from gateway.rehearsal.processes import RehearsalError

POLL_SECONDS = 0.1
PATIENCE_SECONDS = 120.0
Seen = TypeVar("Seen")


class Call(msgspec.Struct, frozen=True):
    """One call, and the JSON of its answer. `body` None: it had none, or a file."""

    method: str
    path: str
    body: object
    answer: Any


class Asking:
    """One client, and the first call of each name."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.calls: dict[str, Call] = {}

    async def ask(self, name: str, method: str, path: str, body: object = None) -> Any:
        """The JSON of a call that must be taken. Raises RehearsalError."""
        status, answer = await self.client.call(method, path, body)
        if status >= 300:
            raise RehearsalError(f"{method} {path} was answered {status}: {str(answer)[:600]}")
        self.calls.setdefault(name, Call(method, path, body, answer))
        return answer

    async def refused(self, name: str, method: str, path: str, body: object = None) -> Any:
        """The problem with which a call must be refused. Raises RehearsalError."""
        status, answer = await self.client.call(method, path, body)
        if not 400 <= status < 500:
            raise RehearsalError(f"{method} {path} was answered {status}, and not refused")
        self.calls.setdefault(name, Call(method, path, body, answer))
        return answer

    async def file(self, name: str, path: str, media: str, content: bytes) -> Any:
        """The JSON of a POST of a file that must be taken. Raises RehearsalError."""
        headers = {"Content-Type": media}
        async with self.client.session.post(
            self.client.api + path, data=content, headers=headers
        ) as response:
            answer = await response.json()
            if response.status >= 300:
                raise RehearsalError(f"POST {path} was answered {response.status}: {answer}")
        self.calls.setdefault(name, Call("POST", path, None, answer))
        return answer

    async def until(
        self, done: Callable[[], bool], what: str, *, seconds: float = PATIENCE_SECONDS
    ) -> None:
        """Wait for something in this process. Raises RehearsalError when it takes too long."""

        async def look() -> bool:
            return done()

        await self.seen(look, lambda found: found, what, seconds=seconds)

    async def seen(
        self,
        look: Callable[[], Awaitable[Seen]],
        wanted: Callable[[Seen], bool],
        what: str,
        *,
        seconds: float = PATIENCE_SECONDS,
    ) -> Seen:
        """Look until what is seen is wanted, less and less often; then it, or, when it takes too
        long, RehearsalError with what was seen last.
        """
        deadline, pause = time.monotonic() + seconds, POLL_SECONDS
        while True:
            found = await look()
            if wanted(found):
                return found
            if time.monotonic() > deadline:
                raise RehearsalError(f"{what}: not within {seconds:.0f} s; {str(found)[:300]}")
            await asyncio.sleep(pause)
            pause = min(pause * 1.2, 10 * POLL_SECONDS)
