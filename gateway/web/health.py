"""Is the process alive, can it take messages, what do its counters say; asked without a key.

Owns /healthz, /readyz, /metrics and the page of problems. Answers hold no message, number or name
of an account.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from gateway.web.metrics import MetricsPage
from gateway.web.problems import DOCUMENT, problems_page
from gateway.web.services import Component, Services


class ReadyAnswer(msgspec.Struct):
    """Ready when every required component is."""

    ready: bool
    components: Sequence[Component]


class HealthApi:
    """Handlers without authentication."""

    def __init__(self, services: Services, metrics: MetricsPage) -> None:
        self._services = services
        self._metrics = metrics

    def routes(self) -> list[web.RouteDef]:
        """What server.py mounts."""
        return [
            web.get("/healthz", self.healthz),
            web.get("/readyz", self.readyz),
            web.get("/metrics", self.metrics),
            web.get(DOCUMENT, self.problems),
        ]

    async def healthz(self, _request: web.Request) -> web.Response:
        """200 while the event loop turns: restarting helps only when it does not."""
        return web.Response(body=b'{"status":"ok"}', content_type="application/json")

    async def readyz(self, _request: web.Request) -> web.Response:
        """200 when messages can be taken, else 503 with the reasons."""
        components = await self._services.readiness.check()
        ready = all(component.ok or not component.required for component in components)
        return web.Response(
            body=msgspec.json.encode(ReadyAnswer(ready, components)),
            status=200 if ready else 503,
            content_type="application/json",
        )

    async def metrics(self, _request: web.Request) -> web.Response:
        """Prometheus text format."""
        return web.Response(
            body=self._metrics.render(), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    async def problems(self, _request: web.Request) -> web.Response:
        """Where the `type` of every problem leads."""
        return web.Response(text=problems_page(), content_type="text/html")
