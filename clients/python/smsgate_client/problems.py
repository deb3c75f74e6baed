"""Owns what goes wrong, by who can do something about it, and how an answer says so (RFC 9457).

Must not decide what follows from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from smsgate_client.answers import Fault
from smsgate_client.shapes import ShapeError, read

if TYPE_CHECKING:
    from collections.abc import Mapping

CONTENT_TYPE = "application/problem+json"
DETAIL_MAX = 200


class SmsgateError(Exception):
    """Whatever this client raises of its own."""


@dataclass
class ApiError(SmsgateError):
    """The gateway refused, and says why.

    `code` names the kind for good; `errors` names each mistake and its place. Nothing was done,
    but for an `internal` error, of which nobody knows.
    """

    status: int
    code: str
    title: str
    detail: str
    errors: tuple[Fault, ...] = ()
    errors_omitted: int = 0
    request_id: str | None = None
    retry_after: float | None = None
    type: str = "about:blank"

    def __str__(self) -> str:
        places = [f"{each.pointer or each.parameter or ''} {each.detail}" for each in self.errors]
        return f"{self.status} {self.code}: {'; '.join([self.detail, *places])}"


class InvalidRequest(ApiError):
    """The request is wrong as it is (400, 413, 415, 422): correct what `errors` names."""


class Unauthorized(ApiError):
    """The key is missing, unknown, revoked or expired (401)."""


class Forbidden(ApiError):
    """The key lacks a scope (403)."""


class NotFound(ApiError):
    """There is no such thing, or it is another account's (404)."""


class Conflict(ApiError):
    """It cannot be done to the thing as it stands now (409)."""


class RateLimited(ApiError):
    """Too many requests or parts (429), longer than this client's patience."""


class Unavailable(ApiError):
    """The gateway cannot now (5xx), longer than this client's patience."""


class NoAnswer(SmsgateError):
    """No answer came. `sent`: the request may have been carried out all the same."""

    def __init__(self, text: str, *, sent: bool) -> None:
        super().__init__(text)
        self.sent = sent


class UnexpectedAnswer(SmsgateError):
    """An answer that is none of this gateway's API: another server, or a proxy's page."""

    def __init__(self, text: str, *, status: int) -> None:
        super().__init__(text)
        self.status = status


class WebhookInvalid(SmsgateError):
    """A request that the gateway has not signed, or not now: answer it with 400, do nothing."""


KINDS: dict[int, type[ApiError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    429: RateLimited,
}


def api_error(status: int, body: object, retry_after: float | None) -> ApiError:
    """The exception that an answer of 400 or more is; `body` is None if it is no JSON."""
    problem: Mapping[str, Any] = body if isinstance(body, dict) else {}
    kind = KINDS.get(status, Unavailable if status >= 500 else InvalidRequest)
    request_id = problem.get("request_id")
    return kind(
        status=status,
        code=str(problem.get("code", "")),
        title=str(problem.get("title", "")),
        detail=str(problem.get("detail", "")) or "an answer without a problem document",
        errors=_faults(problem.get("errors")),
        errors_omitted=_count(problem.get("errors_omitted")),
        request_id=None if request_id is None else str(request_id),
        retry_after=retry_after,
        type=str(problem.get("type", "about:blank")),
    )


def _faults(given: object) -> tuple[Fault, ...]:
    try:
        return tuple(read(Fault, each) for each in given) if isinstance(given, list) else ()
    except ShapeError:
        return ()


def _count(given: object) -> int:
    return given if isinstance(given, int) else 0
