"""A listener of its own for a test, with a clock that the test moves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec
from aiohttp import web

from web.edge.listener import Listener


async def plain(request: web.BaseRequest) -> web.StreamResponse:
    """An application that tells what it was asked for."""
    return web.Response(text=f"{request.method} {request.raw_path}")


class Port(msgspec.Struct):
    """Where it listens, what it counts, and its time."""

    listener: Listener
    port: int
    time: list[float]

    def count(self, metric: str, *labels: str) -> float:
        """The value of this sample."""
        return sum(
            each.value
            for each in self.listener.samples()
            if each.name == metric and each.labels == (self.listener.name, *labels)
        )


@asynccontextmanager
async def listening(
    answer: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]] = plain,
    *,
    name: str = "links",
    connections_max: int = 100,
) -> AsyncIterator[Port]:
    """Without a short way, as the one of short links."""
    time = [0.0]
    listener = Listener(
        name,
        connections_max=connections_max,
        keep_alive_seconds=75.0,
        monotonic=lambda: time[0],
    )
    runner = web.ServerRunner(web.Server(answer), shutdown_timeout=0.1)
    await runner.setup()
    assert runner.server is not None
    _, port = await listener.start(runner.server, "127.0.0.1", 0)
    try:
        yield Port(listener, port, time)
    finally:
        listener.stop()
        await runner.cleanup()
