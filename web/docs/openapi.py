"""The OpenAPI 3.1 document, generated from the types that decode requests and encode answers.

Owns the way from endpoint records to the document. Must not know any endpoint, nor promise anything
itself: what it says of a body is what msgspec says of the type.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import msgspec

from web.docs.webhooks import event_types, webhooks
from web.edge.cursors import PageQuery
from web.edge.endpoints import JSON, Answer, Endpoint
from web.edge.file_bodies import CSV, MEDIA, NDJSON
from web.edge.problems import CONTENT_TYPE, DOCUMENT, KINDS, ProblemBody

OPENAPI = "3.1.0"
REF = "#/components/schemas/{name}"
KEY = "key"  # the security scheme's name
RETRY_STATUSES = (429, 503)

LIMIT_HEADERS: Mapping[str, str] = {
    "RateLimit-Policy": "The account's quotas, if it has some: requests, and parts (`qu`).",
    "RateLimit": "What is left of each, and in how many seconds it is whole again.",
}

_ABOUT = (
    "Every answer carries `X-Request-Id`, the request's own if it brought a plain one. Errors are "
    "`application/problem+json` (RFC 9457); what each code means and what to do about it stands "
    f"under [{DOCUMENT}]({DOCUMENT}). Times are RFC 3339 in UTC, numbers E.164 with `+` and masked "
    "in answers, ids opaque texts with a prefix. Unknown fields and parameters are refused."
)
_TEXT: Mapping[str, object] = {"type": "string"}


def document(endpoints: Sequence[Endpoint], *, version: str) -> dict[str, Any]:
    """The whole document as plain data."""
    requests = [request_type(endpoint) for endpoint in endpoints]
    types: list[Any] = [ProblemBody, *(each for each in requests if each is not None)]
    for endpoint in endpoints:
        types += _other_types(endpoint)
    events = event_types()
    types += events.values()
    unique = list(dict.fromkeys(types))
    schemas, components = msgspec.json.schema_components(
        unique, schema_hook=_custom, ref_template=REF
    )
    by_type = dict(zip(unique, schemas, strict=True))
    paths: dict[str, dict[str, object]] = {}
    for endpoint, request in zip(endpoints, requests, strict=True):
        operation = _operation(endpoint, request, by_type)
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = operation
    return {
        "openapi": OPENAPI,
        "info": {
            "title": "smsgate",
            "version": version,
            "summary": "SMS gateway and delivery tracker",
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in dict.fromkeys(each.tag for each in endpoints)],
        "paths": paths,
        "webhooks": webhooks(events, by_type),
        "components": {
            "schemas": components,
            "securitySchemes": {
                KEY: {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key, `sk_…`, made by `smsgate keys create`.",
                }
            },
        },
    }


def request_type(endpoint: Endpoint) -> type[msgspec.Struct] | None:
    """The type of the request's body, with the real types of fields that are kept raw.

    Only the fields named in `items` differ from what decodes the body. Each of them must hold Raw
    there.
    """
    kind = endpoint.request
    if kind is None or not endpoint.items:
        return kind
    fields: list[tuple[str, Any, Any]] = []
    for field in msgspec.structs.fields(kind):
        item = endpoint.items.get(field.name)
        declared: Any = field.type if item is None else _with_item(field.type, item)
        fields.append((field.name, declared, _default(field)))
    made = msgspec.defstruct(
        kind.__name__, fields, kw_only=True, forbid_unknown_fields=True,
        rename=dict(zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True)),
    )  # fmt: skip
    made.__doc__ = kind.__doc__
    return made


def _with_item(declared: Any, item: type) -> Any:
    """list[item] in place of list[Raw], with the bounds that its Meta states. Raises TypeError."""
    meta = getattr(declared, "__metadata__", ())
    inner = declared.__origin__ if meta else declared
    if inner != list[msgspec.Raw]:
        raise TypeError(f"{declared} is documented as a list of {item.__name__} and holds no Raw")
    listed: Any = list[item]  # type: ignore[valid-type]
    for each in meta:
        listed = _annotated(listed, each)
    return listed


def _annotated(inner: Any, meta: msgspec.Meta) -> Any:
    return Annotated[inner, meta]


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default_factory is not msgspec.NODEFAULT:
        return msgspec.field(default_factory=field.default_factory)
    return msgspec.field() if field.required else field.default


def _other_types(endpoint: Endpoint) -> list[Any]:
    bodies = [endpoint.answer(status).body for status in endpoint.answers]
    return [each for each in (endpoint.request_also, *bodies) if each is not None]


def _operation(
    endpoint: Endpoint, request: type[msgspec.Struct] | None, schemas: Mapping[Any, object]
) -> dict[str, object]:
    operation: dict[str, object] = {
        "operationId": endpoint.name,
        "tags": [endpoint.tag],
        "summary": endpoint.summary,
    }
    if endpoint.description:
        operation["description"] = endpoint.description
    if endpoint.scope is not None:
        operation["security"] = [{KEY: [endpoint.scope]}]
    if parameters := _parameters(endpoint):
        operation["parameters"] = parameters
    if request is not None:
        schema = schemas[request]
        if endpoint.request_also is not None:
            schema = {"anyOf": [schemas[endpoint.request_also], schema]}
        content: dict[str, object] = {"schema": schema}
        if endpoint.example is not None:
            content["example"] = endpoint.example
        required = not endpoint.request_optional
        operation["requestBody"] = {"required": required, "content": {JSON: content}}
    if endpoint.file is not None:
        operation["requestBody"] = _file(endpoint.file, endpoint.file_example)
    answers = {
        str(status): _answer(endpoint, endpoint.answer(status), schemas)
        for status in endpoint.answers
    }
    operation["responses"] = answers | _problems(endpoint, schemas[ProblemBody])
    return operation


def _file(row: type[msgspec.Struct], example: str) -> dict[str, object]:
    """A body of rows. Its media types have no schema for a row, so the fields are told."""
    fields = msgspec.structs.fields(row)
    needed = " and ".join(f"`{each.encode_name}`" for each in fields if each.required)
    others = ", ".join(f"`{each.encode_name}`" for each in fields if not each.required)
    described = f"Each row has {needed}; it may have {others}." if others else f"{needed} a row."
    return {
        "required": True,
        "description": described,
        "content": {
            MEDIA[CSV]: {"schema": _TEXT, "example": example},
            MEDIA[NDJSON]: {"schema": _TEXT},
        },
    }


def _parameters(endpoint: Endpoint) -> list[dict[str, object]]:
    given = [
        *(("path", name, kind, True) for name, kind in endpoint.path_parameters.items()),
        *(("header", name, kind, False) for name, kind in endpoint.headers.items()),
    ]
    parameters = [
        _parameter(place, name, msgspec.json.schema(kind), required)
        for place, name, kind, required in given
    ]
    if endpoint.query is None:
        return parameters
    _, components = msgspec.json.schema_components([endpoint.query], ref_template=REF)
    described = components[endpoint.query.__name__]
    required = described.get("required", ())
    return parameters + [
        _parameter("query", name, value, name in required)
        for name, value in described["properties"].items()
    ]


def _parameter(
    place: str, name: str, schema: Mapping[str, Any], required: bool
) -> dict[str, object]:
    """A query parameter. null in a Struct means "not given"; in a URL the parameter is left out."""
    schema = dict(schema)
    if "anyOf" in schema:
        [only] = [each for each in schema.pop("anyOf") if each != {"type": "null"}]
        schema |= only
    if schema.get("default", ...) is None:
        del schema["default"]
    parameter: dict[str, object] = {"name": name, "in": place, "required": required}
    if description := schema.pop("description", None):
        parameter["description"] = description
    return parameter | {"schema": schema}


def _answer(endpoint: Endpoint, answer: Answer, schemas: Mapping[Any, object]) -> dict[str, object]:
    described = answer.description or _first_sentence(answer.body) or endpoint.summary
    headers = {"X-Request-Id": "The request's id.", **answer.headers}
    if endpoint.query is not None and issubclass(endpoint.query, PageQuery):
        headers["Link"] = 'The next page, rel="next", while there is one.'
    if endpoint.limited:
        headers |= LIMIT_HEADERS
    shown: dict[str, object] = {"description": described, "headers": _headers(headers)}
    if answer.content_type is not None:
        schema = _TEXT if answer.body is None else schemas[answer.body]
        media = (answer.content_type, *answer.content_types)
        shown["content"] = {each: {"schema": schema} for each in media}
    return shown


def _problems(endpoint: Endpoint, problem: object) -> dict[str, object]:
    """One answer for each status, with the codes that have it."""
    by_status: dict[int, list[str]] = {}
    for code in endpoint.codes():
        by_status.setdefault(KINDS[code].status, []).append(code)
    return {
        str(status): _problem(status, codes, problem)
        for status, codes in sorted(by_status.items())
        if status not in endpoint.answers
    }


def _problem(status: int, codes: Iterable[str], problem: object) -> dict[str, object]:
    codes = sorted(codes)
    headers = {"X-Request-Id": "The request's id."}
    if status in RETRY_STATUSES:
        headers["Retry-After"] = "Seconds after which to try again."
    narrowed = {"properties": {"code": {"enum": codes}, "status": {"const": status}}}
    return {
        "description": "; ".join(f"`{code}`: {KINDS[code].title}" for code in codes),
        "headers": _headers(headers),
        "content": {CONTENT_TYPE: {"schema": {"allOf": [problem, narrowed]}}},
    }


def _custom(kind: type) -> dict[str, Any]:
    """The schema of what msgspec has none for: `object` is any JSON."""
    if kind is object:
        return {"description": "Any JSON value."}
    raise NotImplementedError


def _headers(headers: Mapping[str, str]) -> dict[str, object]:
    return {
        name: {"description": meaning, "schema": {"type": "string"}}
        for name, meaning in headers.items()
    }


def _first_sentence(body: object) -> str:
    text = " ".join((getattr(body, "__doc__", None) or "").split())
    return text.partition(". ")[0].rstrip(".")
