"""A receiver of webhooks as one is built: it verifies with a library that is not ours, and answers
as a test says.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web
from standardwebhooks import Webhook

from tests.dlr.webhooks.documented import check
from tests.dlr.webhooks.world import KEY
from tests.smpp.recording import Watched


@dataclass(frozen=True)
class Heard:
    """One request."""

    headers: dict[str, str]
    body: bytes
    path: str

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def told(self) -> dict[str, Any]:
        decoded: dict[str, Any] = msgspec.json.decode(self.body)
        check(decoded)
        return decoded

    def verify(self, key: str = KEY) -> None:
        Webhook(key).verify(self.body, self.headers)


Answer = Callable[[Heard], Awaitable[web.Response] | web.Response]


def good(_: Heard) -> web.Response:
    return web.Response(status=204)


def bad(_: Heard) -> web.Response:
    return web.Response(status=500, text="no")


@dataclass
class Receiver:
    """`answer` may be replaced at any time."""

    answer: Answer = good
    heard: list[Heard] = field(default_factory=list)
    port: int = 0
    requests: Watched = field(default_factory=Watched)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks"

    @property
    def ids(self) -> list[str]:
        return [each.id for each in self.heard]

    async def until(self, count: int) -> list[Heard]:
        """So many requests have come."""
        await self.requests.until(lambda: len(self.heard) >= count)
        return self.heard

    async def handle(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        heard = Heard(headers, await request.read(), request.path_qs)
        self.heard.append(heard)
        self.requests.changed()
        answer = self.answer(heard)
        return answer if isinstance(answer, web.Response) else await answer


@asynccontextmanager
async def receiving(answer: Answer = good) -> AsyncIterator[Receiver]:
    receiver = Receiver(answer)
    application = web.Application()
    application.router.add_post("/{tail:.*}", receiver.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.port = runner.addresses[0][1]
    try:
        yield receiver
    finally:
        await runner.cleanup()
