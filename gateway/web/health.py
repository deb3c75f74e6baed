"""Is the process alive, can it take messages, what do its counters say; asked without a key.

Owns /healthz, /readyz and /metrics. Answers hold no message, number or name of an account.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from gateway.web.endpoints import Answer, Endpoint
from gateway.web.metrics import MetricsPage
from gateway.web.services import Component, Services


class AliveAnswer(msgspec.Struct):
    """Always the same."""

    status: Literal["ok"] = "ok"


class ReadyAnswer(msgspec.Struct):
    """Ready when every required component is."""

    ready: bool
    components: Sequence[Component]


class HealthApi:
    """Handlers without authentication."""

    def __init__(self, services: Services, metrics: MetricsPage) -> None:
        self._services = services
        self._metrics = metrics

    def routes(self) -> list[Endpoint]:
        """What server.py mounts."""
        return [
            Endpoint(
                method="GET",
                path="/healthz",
                handler=self.healthz,
                summary="Whether the process is alive",
                answers={200: AliveAnswer},
            ),
            Endpoint(
                method="GET",
                path="/readyz",
                handler=self.readyz,
                summary="Whether messages can be taken, and why not",
                answers={200: ReadyAnswer, 503: Answer(ReadyAnswer, "Not ready: the reasons")},
            ),
            Endpoint(
                method="GET",
                path="/metrics",
                handler=self.metrics,
                summary="Counters for Prometheus",
                answers={200: Answer(None, content_type="text/plain")},
            ),
        ]

    async def healthz(self, _request: web.Request) -> web.Response:
        """200 while the event loop turns: restarting helps only when it does not."""
        return web.Response(
            body=msgspec.json.encode(AliveAnswer()), content_type="application/json"
        )

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
