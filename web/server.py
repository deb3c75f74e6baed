"""The HTTP server: the application put together, and the port it listens on.

Owns start and stop. Must not know what an endpoint does.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from aiohttp import web

from shortlinks.addresses import parse_networks
from web.api.anomalies import AnomaliesApi
from web.api.audit import AuditApi
from web.api.breakers import BreakersApi
from web.api.campaign_decisions import CampaignDecisionsApi
from web.api.campaign_reports import CampaignReportsApi
from web.api.campaign_views import CampaignViewsApi
from web.api.campaigns import CampaignsApi
from web.api.caps import CapsApi
from web.api.click_reports import ClickReportsApi
from web.api.complaints import ComplaintsApi
from web.api.consents import ConsentsApi
from web.api.contact_changes import ContactChangesApi
from web.api.contact_imports import ContactImportsApi
from web.api.contacts import ContactsApi
from web.api.control import ControlApi
from web.api.conversions import ConversionsApi
from web.api.doubts import ResolveApi
from web.api.events import EventsApi
from web.api.inbound import InboundApi
from web.api.link_views import LinkViewsApi
from web.api.links import LinksApi
from web.api.message_list import MessageListApi
from web.api.messages import MessagesApi
from web.api.numbers import NumbersApi
from web.api.operations import OperationsApi
from web.api.persons import PersonsApi
from web.api.power import PowerApi
from web.api.preview import PreviewApi
from web.api.proofs import ProofsApi
from web.api.raw_deliveries import RawApi
from web.api.reports import ReportsApi
from web.api.routes import RoutesApi
from web.api.segment_counts import SegmentCountsApi
from web.api.segments import SegmentsApi
from web.api.single_posts import SinglePosts
from web.api.suppression_exports import SuppressionExportsApi
from web.api.suppression_imports import SuppressionImportsApi
from web.api.suppressions import SuppressionsApi
from web.api.template_looks import TemplateLooksApi
from web.api.templates import TemplatesApi
from web.api.webhook_callbacks import WebhookCallbacksApi
from web.api.webhook_deliveries import WebhookDeliveriesApi
from web.api.webhooks import WebhooksApi
from web.docs.api import DocumentationApi
from web.edge.access import Access
from web.edge.answer_fields import ALWAYS, ALWAYS_WITH_TLS
from web.edge.auth import Authenticator
from web.edge.bodies import BodyReader
from web.edge.endpoints import Endpoint, mount
from web.edge.listener import LINGER_SECONDS, Listener
from web.edge.middleware import Edge
from web.edge.tls import ServerPair
from web.edge.wrong_keys import WrongKeys
from web.health import HealthApi
from web.metrics import HttpCounters, MetricsPage
from web.services import Services

LISTENER = web.AppKey("the listener of the API", Listener)
SHORT_WAY = web.AppKey("the short way of single messages", SinglePosts)


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where to listen (port 0: any free one), and the bounds of what clients may ask for.

    `max_body`, `bodies_max`: octets of one request body, and of all that are held at once.
    """

    host: str
    port: int
    max_body: int
    bodies_max: int
    batch_items_max: int
    connections_max: int
    keep_alive_seconds: float
    metrics_key: bool
    wrong_keys_per_minute: int
    trusted_proxies: Sequence[str]
    tls: bool


def create_app(services: Services, settings: ServerSettings) -> web.Application:
    """The API as an aiohttp application, not yet listening."""
    bodies = BodyReader(body_bytes_max=settings.max_body, bytes_max=settings.bodies_max)
    counters = HttpCounters()
    wrong_keys = WrongKeys(settings.wrong_keys_per_minute)
    access = Access(
        Authenticator(services.keys, services.monotonic, wrong_keys),
        services.accounts,
        services.limits,
        parse_networks(settings.trusted_proxies),
    )
    messages = MessagesApi(services, access, bodies, batch_items_max=settings.batch_items_max)
    reports = ReportsApi(services, access)
    always = ALWAYS_WITH_TLS if settings.tls else ALWAYS
    edge = Edge(bodies, counters, services.limits, services.monotonic, always)
    app = web.Application(middlewares=[edge.middleware], client_max_size=settings.max_body)
    preview = PreviewApi(services, access, bodies)
    listed = MessageListApi(services, access)
    resolve = ResolveApi(services, access, bodies)
    recipients = _rooms_of_recipients(services, access, bodies)
    operations = OperationsApi(services, access, bodies)
    endpoints = [
        *messages.routes(), *listed.routes(), *resolve.routes(), *preview.routes(), *recipients,
        *reports.routes(), *ClickReportsApi(services, access).routes(), *operations.routes(),
    ]  # fmt: skip
    endpoints += ControlApi(services, access, bodies).routes()
    short_way = app[SHORT_WAY] = SinglePosts(services, access, edge, messages)
    listener = app[LISTENER] = Listener(
        "api",
        connections_max=settings.connections_max,
        keep_alive_seconds=settings.keep_alive_seconds,
        monotonic=services.monotonic,
        short_way=short_way,
        always=always,
    )
    page = MetricsPage(services.snapshot, counters.samples, listener.samples, wrong_keys.samples)
    endpoints += HealthApi(services, access, page, metrics_key=settings.metrics_key).routes()
    documentation = DocumentationApi(endpoints)
    mount(app, [*endpoints, *documentation.routes()], access.key)
    return app


def _rooms_of_recipients(services: Services, access: Access, bodies: BodyReader) -> list[Endpoint]:
    """What is asked of recipients, carriers, and those who listen."""
    return [
        *InboundApi(services, access).routes(),
        *SuppressionsApi(services, access, bodies).routes(),
        *SuppressionImportsApi(services, access).routes(),
        *SuppressionExportsApi(services, access).routes(),
        *NumbersApi(services, access, bodies).routes(),
        *ConsentsApi(services, access, bodies).routes(),
        *ComplaintsApi(services, access, bodies).routes(),
        *ConversionsApi(services, access, bodies).routes(),
        *ContactsApi(services, access, bodies).routes(),
        *ContactChangesApi(services, access, bodies).routes(),
        *ContactImportsApi(services, access).routes(),
        *EventsApi(services, access, bodies).routes(),
        *LinksApi(services, access, bodies).routes(),
        *LinkViewsApi(services, access).routes(),
        *SegmentsApi(services, access, bodies).routes(),
        *SegmentCountsApi(services, access, bodies).routes(),
        *TemplatesApi(services, access, bodies).routes(),
        *TemplateLooksApi(services, access, bodies).routes(),
        *CampaignsApi(services, access, bodies).routes(),
        *CampaignViewsApi(services, access).routes(),
        *CampaignDecisionsApi(services, access, bodies).routes(),
        *CapsApi(services, access, bodies).routes(),
        *CampaignReportsApi(services, access).routes(),
        *ProofsApi(services, access).routes(),
        *RawApi(services, access).routes(),
        *BreakersApi(services, access, bodies).routes(),
        *AnomaliesApi(services, access).routes(),
        *RoutesApi(services, access).routes(),
        *PowerApi(access).routes(),
        *AuditApi(services, access).routes(),
        *PersonsApi(services, access, bodies).routes(),
        *WebhookCallbacksApi(services, access, bodies).routes(),
        *WebhookDeliveriesApi(services, access, bodies).routes(),
        *WebhooksApi(services, access, bodies).routes(),
    ]


class HttpServer:
    """The application on a port. Start once, stop once. Stopping what never started is fine."""

    def __init__(
        self,
        app: web.Application,
        settings: ServerSettings,
        *,
        drain_seconds: float,
        pair: ServerPair | None = None,
    ) -> None:
        """`pair`: what TLS is spoken with. A stop waits `drain_seconds` for single messages that
        are being stored.

        After that it waits up to twice as long for other requests, as aiohttp does.
        """
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=drain_seconds, lingering_time=LINGER_SECONDS
        )
        self._settings = settings
        self._pair = pair
        self._drain_seconds = drain_seconds
        self._short_way = app[SHORT_WAY]
        self._listener = app[LISTENER]

    async def start(self) -> tuple[str, int]:
        """Listen. Returns (host, port): the real port where 0 was configured. Raises OSError."""
        await self._runner.setup()
        server = self._runner.server
        assert server is not None  # it is set up
        where = self._settings.host, self._settings.port
        return await self._listener.start(server, *where, self._pair)

    async def stop(self) -> None:
        """Take no new connection, wait for requests being answered, close the rest."""
        self._listener.stop()
        await self._short_way.close(self._drain_seconds)
        await self._runner.cleanup()
