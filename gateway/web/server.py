"""The HTTP server: the application, what surrounds every request, and the listening socket.

Owns the one place where exceptions become answers, the request id, and the counting of requests.
Must not know what an endpoint does.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable
from itertools import count

import structlog
from aiohttp import web

from gateway.accept.models import Overloaded, StorageDown
from gateway.config.settings import HttpSettings
from gateway.web.access import Access
from gateway.web.auth import Authenticator
from gateway.web.bodies import BodyReader
from gateway.web.consents_api import ConsentsApi
from gateway.web.control_api import ControlApi
from gateway.web.documentation_api import DocumentationApi
from gateway.web.endpoints import mount
from gateway.web.health import HealthApi
from gateway.web.idempotent import REQUEST_ID
from gateway.web.inbound_api import InboundApi
from gateway.web.message_list_api import MessageListApi
from gateway.web.messages_api import MessagesApi
from gateway.web.metrics import HttpCounters, MetricsPage
from gateway.web.operations_api import OperationsApi
from gateway.web.preview_api import PreviewApi
from gateway.web.problems import ProblemError, problem_response
from gateway.web.reports_api import ReportsApi
from gateway.web.request_limits import RequestLimits
from gateway.web.resolve_api import ResolveApi
from gateway.web.services import ReportTooSlow, Services
from gateway.web.suppressions_api import SuppressionsApi

REQUEST_ID_HEADER = "X-Request-Id"
UNKNOWN_ENDPOINT = "other"
BACKLOG = 1024
LINGER_SECONDS = 2.0  # a client still sending a body that was refused gets to read why

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)
_HTTP_CODES = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}
_log = structlog.get_logger("smsgate.web")

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def create_app(services: Services, settings: HttpSettings) -> web.Application:
    """The API as an aiohttp application, not yet listening."""
    bodies = BodyReader(body_bytes_max=settings.max_body, bytes_max=settings.bodies_max)
    counters = HttpCounters()
    access = Access(
        Authenticator(services.keys, services.monotonic), services.accounts, services.limits
    )
    messages = MessagesApi(services, access, bodies, batch_items_max=settings.batch_items_max)
    reports = ReportsApi(services, access)
    health = HealthApi(services, MetricsPage(services.snapshot, counters.samples))
    edge = Edge(bodies, counters, services.limits, services.monotonic)
    app = web.Application(middlewares=[edge.middleware], client_max_size=settings.max_body)
    preview = PreviewApi(services, access, bodies)
    listed = MessageListApi(services, access)
    resolve = ResolveApi(services, access, bodies)
    recipients = [
        *InboundApi(services, access).routes(),
        *SuppressionsApi(services, access, bodies).routes(),
        *ConsentsApi(services, access, bodies).routes(),
    ]
    operations = OperationsApi(services, access, bodies)
    endpoints = [
        *messages.routes(), *listed.routes(), *resolve.routes(), *preview.routes(), *recipients,
        *reports.routes(), *operations.routes(), *health.routes(),
    ]  # fmt: skip
    endpoints += ControlApi(services, access, bodies).routes()
    documentation = DocumentationApi(endpoints)
    mount(app, [*endpoints, *documentation.routes()])
    return app


class Edge:
    """What surrounds every request."""

    def __init__(
        self,
        bodies: BodyReader,
        counters: HttpCounters,
        limits: RequestLimits,
        monotonic: Callable[[], float],
    ) -> None:
        self._bodies = bodies
        self._counters = counters
        self._limits = limits
        self._monotonic = monotonic
        self._request_prefix = f"req_{secrets.token_hex(6)}"
        self._request_numbers = count(1)

    @web.middleware
    async def middleware(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Always an answer with a request id; every error as a problem; counted."""
        started = self._monotonic()
        request_id = request[REQUEST_ID] = self._request_id(request)
        try:
            response = await handler(request)
        except (ProblemError, Overloaded, StorageDown, ReportTooSlow, web.HTTPException) as error:
            response = problem_response(_problem(error), request.rel_url.raw_path, request_id)
        except (web.RequestPayloadError, ConnectionError) as error:
            # The client's body is broken off or wrongly encoded; it may not be there to be told.
            problem = ProblemError("malformed_request", f"the body cannot be read: {error}")
            response = problem_response(problem, request.rel_url.raw_path, request_id)
        except Exception:  # noqa: BLE001 - where any error at all becomes an answer; it is logged
            _log.exception("request failed", request_id=request_id, endpoint=_endpoint(request))
            problem = ProblemError("internal", "the gateway failed to handle this request")
            response = problem_response(problem, request.rel_url.raw_path, request_id)
        finally:
            self._bodies.release(request)
        response.headers[REQUEST_ID_HEADER] = request_id
        if self._limits:
            self._limits.describe(request, response)
        self._counters.record(_endpoint(request), response.status, self._monotonic() - started)
        return response

    def _request_id(self, request: web.Request) -> str:
        """The client's own id if it is a plain one, else this process's next."""
        given = request.headers.get(REQUEST_ID_HEADER)
        if given is not None and _REQUEST_ID.fullmatch(given):
            return given
        return f"{self._request_prefix}{next(self._request_numbers):08x}"


class HttpServer:
    """The application on a port. Start once, stop once; stopping what never started is fine."""

    def __init__(
        self, app: web.Application, settings: HttpSettings, *, drain_seconds: float
    ) -> None:
        """A stop waits `drain_seconds` for requests that are being answered."""
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=drain_seconds, lingering_time=LINGER_SECONDS
        )
        self._settings = settings

    async def start(self) -> tuple[str, int]:
        """Listen; returns host and port, the real one where 0 was configured. Raises OSError."""
        await self._runner.setup()
        address = self._settings.listen
        await web.TCPSite(self._runner, address.host, address.port, backlog=BACKLOG).start()
        host, port = self._runner.addresses[0][:2]
        return str(host), int(port)

    async def stop(self) -> None:
        """Take no new connection, wait for requests being answered, close the rest."""
        await self._runner.cleanup()


def _problem(
    error: ProblemError | Overloaded | StorageDown | ReportTooSlow | web.HTTPException,
) -> ProblemError:
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, web.HTTPException):
        code = _HTTP_CODES.get(error.status, "malformed_request")
        allow = error.headers.get("Allow")
        return ProblemError(
            code, error.reason.lower(), headers={} if allow is None else {"Allow": allow}
        )
    if isinstance(error, ReportTooSlow):
        return ProblemError("report_too_slow", "the report took longer than the database allows")
    headers = {"Retry-After": str(error.retry_after_seconds)}
    if isinstance(error, StorageDown):
        return ProblemError("storage_unavailable", str(error), headers=headers)
    if error.policies:
        headers["RateLimit-Policy"] = ", ".join(
            f'"{name}";q={waiting};qu="messages"' for name, waiting in error.policies.items()
        )
    return ProblemError("overloaded", str(error), headers=headers, policies=tuple(error.policies))


def _endpoint(request: web.Request) -> str:
    """The route's template, for labels and logs: never the path, which has no bound."""
    resource = request.match_info.route.resource
    return UNKNOWN_ENDPOINT if resource is None else resource.canonical
