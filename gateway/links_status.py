"""What a process that only redirects says of itself: /healthz, /readyz and /metrics.

Owns these three answers, at an address that no recipient reaches. Must not judge a whole gateway
(health.py does), and must not show a message, number or name of an account.

Such a process is ready while it listens. It redirects without a database, so that one being away is
shown and takes it out of no service.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from gateway.vitals import Lease
from gateway.wiring import redirects
from gateway.wiring.process_samples import vitals
from web.edge.listener import Listener
from web.health import AliveAnswer, ReadyAnswer
from web.metrics import MetricsPage
from web.samples import HistogramSample, Sample
from web.services import Component

if TYPE_CHECKING:
    from gateway.rooms import Rooms

CONNECTIONS_MAX = 64
KEEP_ALIVE_SECONDS = 75.0


class StatusServer:
    """Start once, stop once."""

    def __init__(self, rooms: Rooms, lease: Lease) -> None:
        self._rooms = rooms
        self._lease = lease
        self._listener = Listener(
            "status",
            connections_max=CONNECTIONS_MAX,
            keep_alive_seconds=KEEP_ALIVE_SECONDS,
            monotonic=time.monotonic,
        )
        self._page = MetricsPage(self._samples, self._listener.samples)
        self._runner: web.ServerRunner | None = None

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """Listen. Returns (host, port): the real port where 0 was asked. Raises OSError."""
        self._runner = web.ServerRunner(web.Server(self._handle, access_log=None))
        await self._runner.setup()
        server = self._runner.server
        assert server is not None  # it is set up
        return await self._listener.start(server, host, port)

    async def stop(self) -> None:
        """Answer nobody any more."""
        self._listener.stop()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method not in ("GET", "HEAD"):
            return web.Response(status=405, headers={"Allow": "GET, HEAD"})
        if request.path == "/metrics":
            return web.Response(
                body=self._page.render(), headers={"Content-Type": CONTENT_TYPE_LATEST}
            )
        if request.path == "/readyz":
            return self._ready()
        if request.path == "/healthz":
            return web.Response(
                body=msgspec.json.encode(AliveAnswer()), content_type="application/json"
            )
        return web.Response(status=404)

    def _ready(self) -> web.Response:
        losing = self._rooms.links.trouble()
        components = [
            Component("database", self._lease.database_up, required=False),
            Component("keeping clicks", losing is None, required=False),
        ]
        ready = not self._rooms.draining
        if not ready:
            components.append(Component("redirecting", False, "the process is stopping"))
        return web.Response(
            body=msgspec.json.encode(ReadyAnswer(ready, False, components)),
            status=200 if ready else 503,
            content_type="application/json",
        )

    def _samples(self) -> Iterator[Sample | HistogramSample]:
        rooms = self._rooms
        yield from vitals(rooms, self._lease)
        yield from redirects.samples(rooms)
