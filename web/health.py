"""Health without a key: is the process alive, can it take messages, what do its counters say.

Owns /healthz, /readyz and /metrics. Must not show a message, number or name of an account.

Who comes without a key, or without the scope for it, is told no connectors. Nor is any reason given
why something is not as it should be, since reasons have addresses in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from storage.faults import Overloaded, StorageDown
from web.edge.access import Access
from web.edge.endpoints import Answer, Endpoint
from web.edge.problems import ProblemError
from web.metrics import MetricsPage
from web.services import Component, Services

CONNECTOR = "connector "  # the name of a connector's component begins with this
CONNECTORS_READ = "connectors:read"
METRICS_READ = "metrics:read"
_KEY_PROBLEMS = (
    "key_missing", "key_unknown", "key_revoked", "key_expired", "wrong_keys_exceeded",
    "scope_missing",
)  # fmt: skip


class AliveAnswer(msgspec.Struct):
    """Always the same."""

    status: Literal["ok"] = "ok"


class ReadyAnswer(msgspec.Struct):
    """Ready when every required component is. Without a key that has the scope `connectors:read`
    it is not `detailed`: no connectors, no reasons.
    """

    ready: bool
    detailed: bool
    components: Sequence[Component]


class HealthApi:
    """Handlers that need no key."""

    def __init__(
        self, services: Services, access: Access, metrics: MetricsPage, *, metrics_key: bool
    ) -> None:
        """`metrics_key`: whether the counters need a key with the scope metrics:read."""
        self._services = services
        self._access = access
        self._metrics_key = metrics_key
        self._metrics = metrics

    def routes(self) -> list[Endpoint]:
        """The endpoints, for server.py to mount."""
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
                description="Asked without a key, or with one that has the scope connectors:read: "
                "then it names connectors, and gives reasons.",
                answers={200: ReadyAnswer, 503: Answer(ReadyAnswer, "Not ready: the reasons")},
            ),
            Endpoint(
                method="GET",
                path="/metrics",
                handler=self.metrics,
                summary="Counters for Prometheus",
                description="Asked without a key, unless `http.metrics_key` wants one with the "
                "scope metrics:read.",
                problems=_KEY_PROBLEMS,
                answers={200: Answer(None, content_type="text/plain")},
            ),
        ]

    async def healthz(self, _request: web.Request) -> web.Response:
        """200 while the event loop turns: restarting helps only when it does not."""
        return web.Response(
            body=msgspec.json.encode(AliveAnswer()), content_type="application/json"
        )

    async def readyz(self, request: web.Request) -> web.Response:
        """200 when messages can be taken, else 503."""
        detailed = await self._detailed(request)
        components = await self._services.readiness.check()
        ready = all(component.ok or not component.required for component in components)
        if not detailed:
            components = [
                Component(each.name, each.ok, required=each.required)
                for each in components
                if not each.name.startswith(CONNECTOR)
            ]
        return web.Response(
            body=msgspec.json.encode(ReadyAnswer(ready, detailed, components)),
            status=200 if ready else 503,
            content_type="application/json",
        )

    async def _detailed(self, request: web.Request) -> bool:
        if "Authorization" not in request.headers:
            return False
        try:
            await self._access.key(request, CONNECTORS_READ)
        except (ProblemError, Overloaded, StorageDown):
            return False  # readiness is answered in any case, even while no key can be looked up
        return True

    async def metrics(self, request: web.Request) -> web.Response:
        """Prometheus text format."""
        if self._metrics_key:
            await self._access.key(request, METRICS_READ)
        return web.Response(
            body=self._metrics.render(), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )
