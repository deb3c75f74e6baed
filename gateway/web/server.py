"""The HTTP server: the application put together, and the port it listens on.

Owns start and stop. Must not know what an endpoint does.
"""

from __future__ import annotations

from aiohttp import web

from gateway.config.settings import HttpSettings
from gateway.web.access import Access
from gateway.web.auth import Authenticator
from gateway.web.bodies import BodyReader
from gateway.web.consents_api import ConsentsApi
from gateway.web.control_api import ControlApi
from gateway.web.documentation_api import DocumentationApi
from gateway.web.edge import Edge
from gateway.web.endpoints import mount
from gateway.web.health import HealthApi
from gateway.web.inbound_api import InboundApi
from gateway.web.listener import LINGER_SECONDS, Listener
from gateway.web.message_list_api import MessageListApi
from gateway.web.messages_api import MessagesApi
from gateway.web.metrics import HttpCounters, MetricsPage
from gateway.web.operations_api import OperationsApi
from gateway.web.preview_api import PreviewApi
from gateway.web.raw_api import RawApi
from gateway.web.reports_api import ReportsApi
from gateway.web.resolve_api import ResolveApi
from gateway.web.services import Services
from gateway.web.single_posts import SinglePosts
from gateway.web.suppressions_api import SuppressionsApi

LISTENER = web.AppKey("the listener of the API", Listener)
SHORT_WAY = web.AppKey("the short way of single messages", SinglePosts)


def create_app(services: Services, settings: HttpSettings) -> web.Application:
    """The API as an aiohttp application, not yet listening."""
    bodies = BodyReader(body_bytes_max=settings.max_body, bytes_max=settings.bodies_max)
    counters = HttpCounters()
    access = Access(
        Authenticator(services.keys, services.monotonic), services.accounts, services.limits
    )
    messages = MessagesApi(services, access, bodies, batch_items_max=settings.batch_items_max)
    reports = ReportsApi(services, access)
    edge = Edge(bodies, counters, services.limits, services.monotonic)
    app = web.Application(middlewares=[edge.middleware], client_max_size=settings.max_body)
    preview = PreviewApi(services, access, bodies)
    listed = MessageListApi(services, access)
    resolve = ResolveApi(services, access, bodies)
    recipients = [
        *InboundApi(services, access).routes(),
        *SuppressionsApi(services, access, bodies).routes(),
        *ConsentsApi(services, access, bodies).routes(),
        *RawApi(services, access).routes(),
    ]
    operations = OperationsApi(services, access, bodies)
    endpoints = [
        *messages.routes(), *listed.routes(), *resolve.routes(), *preview.routes(), *recipients,
        *reports.routes(), *operations.routes(),
    ]  # fmt: skip
    endpoints += ControlApi(services, access, bodies).routes()
    short_way = app[SHORT_WAY] = SinglePosts(services, access, edge, messages)
    listener = app[LISTENER] = Listener(
        "api",
        connections_max=settings.connections_max,
        keep_alive_seconds=settings.keep_alive_seconds,
        monotonic=services.monotonic,
        short_way=short_way,
    )
    page = MetricsPage(services.snapshot, counters.samples, listener.samples)
    endpoints += HealthApi(services, access, page, metrics_key=settings.metrics_key).routes()
    documentation = DocumentationApi(endpoints)
    mount(app, [*endpoints, *documentation.routes()], access.key)
    return app


class HttpServer:
    """The application on a port. Start once, stop once; stopping what never started is fine."""

    def __init__(
        self, app: web.Application, settings: HttpSettings, *, drain_seconds: float
    ) -> None:
        """A stop waits `drain_seconds` for single messages that are being stored, and then up to
        twice that for other requests that are being answered, as aiohttp does.
        """
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=drain_seconds, lingering_time=LINGER_SECONDS
        )
        self._settings = settings
        self._drain_seconds = drain_seconds
        self._short_way = app[SHORT_WAY]
        self._listener = app[LISTENER]

    async def start(self) -> tuple[str, int]:
        """Listen; returns host and port, the real one where 0 was configured. Raises OSError."""
        await self._runner.setup()
        server = self._runner.server
        assert server is not None  # it is set up
        address = self._settings.listen
        return await self._listener.start(server, address.host, address.port)

    async def stop(self) -> None:
        """Take no new connection, wait for requests being answered, close the rest."""
        self._listener.stop()
        await self._short_way.close(self._drain_seconds)
        await self._runner.cleanup()
