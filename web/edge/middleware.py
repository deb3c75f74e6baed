"""What surrounds every request, whichever way it came.

Owns the one place where exceptions become answers, the request id, and the counting of requests.
Must not know what an endpoint does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import structlog
from aiohttp import web

from storage.faults import Overloaded, StorageDown
from storage.reading import ReportTooSlow
from web.edge.bodies import BodyReader
from web.edge.problems import ProblemError, problem_response
from web.edge.request_ids import REQUEST_ID_HEADER, SCOPE_FIELD, RequestIds, RequestScope
from web.edge.request_limits import LIMITED, RequestLimits
from web.metrics import HttpCounters

UNKNOWN_ENDPOINT = "other"

_HTTP_CODES = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}
_log = structlog.get_logger("smsgate.web")

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Edge:
    """The middleware. One for the process."""

    def __init__(
        self,
        bodies: BodyReader,
        counters: HttpCounters,
        limits: RequestLimits,
        monotonic: Callable[[], float],
        always: Mapping[str, str],
    ) -> None:
        """`always`: the fields of every answer, unless it says otherwise."""
        self.always = always
        self._bodies = bodies
        self._limits = limits
        self._monotonic = monotonic
        self.record = counters.record
        self.request_id = RequestIds().of

    @web.middleware
    async def middleware(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Answer always, with a request id; every error becomes a problem; each request is
        counted.
        """
        started = self._monotonic()
        request_id = self.request_id(request.headers.get(REQUEST_ID_HEADER))
        scope = RequestScope(request_id)
        structlog.contextvars.bind_contextvars(**{SCOPE_FIELD: scope})
        try:
            response = await handler(request)
        except Exception as error:  # noqa: BLE001 - where any error at all becomes an answer
            # Under no name of ours: it would hold this frame, which held it and the whole body.
            response = problem_response(
                self.problem(error, _endpoint(request), request_id),
                request.rel_url.raw_path,
                request_id,
            )
        finally:
            scope.end()
            self._bodies.release(request)
        headers = response.headers
        headers[REQUEST_ID_HEADER] = request_id
        for name, value in self.always.items():
            headers.setdefault(name, value)
        if self._limits:
            headers.update(self._limits.fields(request.get(LIMITED)))
        self.record(
            request.method, _endpoint(request), response.status, self._monotonic() - started
        )
        return response

    def problem(self, error: Exception, endpoint: str, request_id: str) -> ProblemError:
        """What the client is told of this error. One that nobody expected is logged."""
        if isinstance(error, ProblemError):
            return error
        if isinstance(error, (Overloaded, StorageDown)):
            return _pause(error)
        if isinstance(error, ReportTooSlow):
            return ProblemError(
                "report_too_slow", "the report took longer than the database allows"
            )
        if isinstance(error, web.HTTPException):
            code = _HTTP_CODES.get(error.status, "malformed_request")
            allow = error.headers.get("Allow")
            return ProblemError(
                code, error.reason.lower(), headers={} if allow is None else {"Allow": allow}
            )
        if isinstance(error, (web.RequestPayloadError, ConnectionError)):
            # The client's body was cut off or is wrongly encoded. It may not be there to be told.
            return ProblemError("malformed_request", "the body is cut off, or wrongly encoded")
        _log.error("request failed", request_id=request_id, endpoint=endpoint, exc_info=error)
        return ProblemError("internal", "the gateway failed to handle this request")


def _pause(error: Overloaded | StorageDown) -> ProblemError:
    headers = {"Retry-After": str(error.retry_after_seconds)}
    if isinstance(error, StorageDown):
        return ProblemError("storage_unavailable", str(error), headers=headers)
    if error.policies:
        headers["RateLimit-Policy"] = ", ".join(
            f'"{name}";q={waiting};qu="messages"' for name, waiting in error.policies.items()
        )
    return ProblemError("overloaded", str(error), headers=headers, policies=tuple(error.policies))


def _endpoint(request: web.Request) -> str:
    """The route's template, for labels and logs. Never the path, which has no bound."""
    resource = request.match_info.route.resource
    return UNKNOWN_ENDPOINT if resource is None else resource.canonical
