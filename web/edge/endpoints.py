"""What an endpoint is, in one record beside its handler. The server mounts it and the docs show it.

Owns the record, what it implies (a body may be malformed, a key may lack its scope), and the
mounting. Must not build the document (openapi.py) nor know any endpoint.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import MappingProxyType

import msgspec
from aiohttp import web

from web.edge import if_match
from web.edge.cursors import PageQuery
from web.edge.idempotent import HEADER as IDEMPOTENCY_KEY
from web.edge.parameters import unknown_parameters
from web.edge.problems import ProblemError

JSON = "application/json"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
KeyCheck = Callable[[web.Request, str], Awaitable[object]]  # raises where a key lacks the scope

# Any request may meet these. The rest follows from what the endpoint asks for.
_ALWAYS = (
    "malformed_request", "internal", "overloaded", "storage_unavailable", "parameter_unknown",
)  # fmt: skip
_WITH_KEY = (
    "key_missing", "key_unknown", "key_revoked", "key_expired", "wrong_keys_exceeded",
    "scope_missing", "account_unknown",
)  # fmt: skip
_WITH_BODY = (
    "malformed_json", "body_slow", "body_too_large", "content_encoding_unsupported", "not_json",
    "field_unknown", "field_missing", "field_type", "field_repeated",
)  # fmt: skip
_WITH_FILE = (
    "format_unsupported", "body_slow", "body_too_large", "content_encoding_unsupported",
    "columns_invalid", "encoding_invalid", "row_malformed", "row_too_long", "rows_max",
)  # fmt: skip
_WITH_QUERY = ("parameter_invalid",)
_NOTHING: Mapping[str, str] = MappingProxyType({})


class Answer(msgspec.Struct, frozen=True):
    """One successful answer. `body` is a msgspec type; None where there is no JSON body."""

    body: object
    description: str = ""  # empty: the first sentence of the type's docstring
    content_type: str | None = JSON  # None: no body at all
    content_types: tuple[str, ...] = ()  # others that it may have, as a parameter says
    headers: Mapping[str, str] = _NOTHING  # name -> meaning


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one path.

    `answers` are by status; a bare type is a JSON body of that type. `request` decodes the body,
    and `request_also` is another form of it. `file` is a row of a body that is a file. `query` is a
    Struct for QueryReader; one that inherits PageQuery marks a page of a list. `problems` are the
    codes besides those implied. `items` names the real types of fields that the request keeps as
    msgspec.Raw.

    An endpoint without `request`, `file` or `query` refuses bodies or parameters.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    answers: Mapping[int, object]
    scope: str | None = None  # None: asked without a key
    description: str = ""
    request: type[msgspec.Struct] | None = None
    request_optional: bool = False  # the body may be left out
    request_also: type[msgspec.Struct] | None = None
    file: type[msgspec.Struct] | None = None
    file_example: str = ""  # CSV
    items: Mapping[str, type] = MappingProxyType({})
    query: type[msgspec.Struct] | None = None
    path_parameters: Mapping[str, object] = MappingProxyType({})  # name -> annotated type
    headers: Mapping[str, object] = MappingProxyType({})  # of the request: name -> annotated type
    anew: str = ""  # of what refuses an Idempotency-Key: what each request does anew
    instead: str = ""  # what somebody who looks for a parameter here may have meant
    limited: bool = False  # counted against the account's requests_rate
    problems: tuple[str, ...] = ()
    example: Mapping[str, object] | None = None  # of the request's body

    @property
    def tag(self) -> str:
        """The group it is shown in: the first word of its path behind /v1."""
        words = self.path.strip("/").split("/")
        return words[1] if words[0] == "v1" else "service"

    @property
    def name(self) -> str:
        """The operation id: the method and the words of the path."""
        words = [word.strip("{}") for word in self.path.replace("-", "_").split("/") if word]
        return "_".join([self.method.lower(), *(word for word in words if word != "v1")])

    def answer(self, status: int) -> Answer:
        """The answer with this status, in full."""
        given = self.answers[status]
        return given if isinstance(given, Answer) else Answer(given)

    def codes(self) -> tuple[str, ...]:
        """Every problem code that it can answer."""
        codes = [*_ALWAYS]
        if self.scope is not None:
            codes += _WITH_KEY
        if self.file is not None:
            codes += _WITH_FILE
        elif self.request is None:
            codes.append("body_unexpected")
        else:
            codes += _WITH_BODY
        if self.query is not None:
            codes += _WITH_QUERY
            if issubclass(self.query, PageQuery):
                codes.append("cursor_invalid")
        if self.anew:
            codes.append("idempotency_key_unused")
        if self.limited:
            codes.append("quota_exceeded")
        if self.path_parameters:
            codes.append("not_found")
            if self.method != "GET":
                codes.append(if_match.DIFFERS)
        return tuple(dict.fromkeys([*codes, *self.problems]))


def _mounted_path(endpoint: Endpoint) -> str:
    """The path with each parameter's pattern, so `batch` is no id, and 405 names the right
    methods.
    """
    path = endpoint.path
    for name, kind in endpoint.path_parameters.items():
        for meta in getattr(kind, "__metadata__", ()):
            if meta.pattern is not None:
                path = path.replace(f"{{{name}}}", f"{{{name}:{meta.pattern.strip('^$')}}}")
    return path


def mount(app: web.Application, endpoints: Iterable[Endpoint], may: KeyCheck) -> None:
    """Add each as a route, behind the refusal of what it does not take. `may` is asked before
    it.
    """
    for endpoint in endpoints:
        path, handler = _mounted_path(endpoint), _guarded(endpoint, may)
        if endpoint.method == "GET":
            app.router.add_get(path, handler)  # and HEAD
        else:
            app.router.add_route(endpoint.method, path, handler)


def _ignored(endpoint: Endpoint) -> Mapping[str, tuple[str, str]]:
    """Headers that would be without effect, each with the code and the words of its refusal."""
    refused: dict[str, tuple[str, str]] = {}
    if endpoint.method != "GET" and endpoint.path_parameters:
        detail = "it has no versions: leave If-Match out"
        refused[if_match.HEADER] = (if_match.DIFFERS, detail)
    if endpoint.anew:
        detail = f"this takes no {IDEMPOTENCY_KEY}: {endpoint.anew}"
        refused[IDEMPOTENCY_KEY] = ("idempotency_key_unused", detail)
    return {name: told for name, told in refused.items() if name not in endpoint.headers}


def _guarded(endpoint: Endpoint, may: KeyCheck) -> Handler:
    """The handler, behind the refusal of whatever the record does not name.

    What is silently ignored, a dry run for instance, would not be what was asked for.
    """
    handler = endpoint.handler
    no_query = endpoint.query is None
    no_body = endpoint.request is None and endpoint.file is None
    ignored = _ignored(endpoint)
    if not (no_query or no_body or ignored):
        return handler

    async def guarded(request: web.Request) -> web.StreamResponse:
        unknown = no_query and bool(request.query_string)
        meant = next((name for name in ignored if name in request.headers), None)
        if not unknown and meant is None and not (no_body and request.body_exists):
            return await handler(request)
        if endpoint.scope is not None:
            await may(request, endpoint.scope)
        if meant is not None:
            raise ProblemError(*ignored[meant])
        if unknown:
            names = list(request.query) or [request.query_string]
            raise unknown_parameters(names, endpoint.instead)
        raise ProblemError("body_unexpected", "this takes no body")

    return guarded
