"""The `webhooks` section of the OpenAPI document, from the types that events are made of.

Owns its form. Must not know who is told what, nor when: dlr/webhooks does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from dlr.webhooks.catalogue import EVENT_KINDS, Moment
from dlr.webhooks.signature import ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER
from web.edge.endpoints import JSON

TAG = "webhooks"
_HEADERS: Mapping[str, tuple[str, Mapping[str, object]]] = {
    ID_HEADER: ("The event's id, the same at every attempt.", {"type": "string"}),
    TIMESTAMP_HEADER: ("When this attempt was signed, in seconds.", {"type": "integer"}),
    SIGNATURE_HEADER: ("One to three signatures, one space between.", {"type": "string"}),
}


def event_types() -> dict[str, type[msgspec.Struct]]:
    """name -> the type of the whole body, for each type of event that is told."""
    names: dict[type[msgspec.Struct], list[str]] = {}
    for name, kind in EVENT_KINDS.items():
        if kind.data is not None:
            names.setdefault(kind.data, []).append(name)
    return {name: body for data, of in names.items() for body in (_body(data, of),) for name in of}


def webhooks(bodies: Mapping[str, type[msgspec.Struct]], schemas: Mapping[Any, object]) -> object:
    """The section; `schemas` by the types of bodies."""
    return {
        name: {"post": _request(name, EVENT_KINDS[name].meaning, schemas[body])}
        for name, body in bodies.items()
    }


def _body(data: type[msgspec.Struct], names: list[str]) -> type[msgspec.Struct]:
    told: Any = Literal[tuple(names)]
    made = msgspec.defstruct(
        data.__name__.removesuffix("Data") + "Event",
        [("type", told), ("timestamp", Moment), ("data", data)],
        kw_only=True,
    )
    made.__doc__ = "What is posted. `timestamp` is when it happened."
    return made


def _request(name: str, meaning: str, schema: object) -> dict[str, object]:
    narrowed = {"allOf": [schema, {"properties": {"type": {"const": name}}}]}
    return {
        "operationId": f"webhook_{name.replace('.', '_')}",
        "tags": [TAG],
        "summary": meaning.removesuffix("."),
        "parameters": [
            {"name": each, "in": "header", "required": True, "description": words, "schema": of}
            for each, (words, of) in _HEADERS.items()
        ],
        "requestBody": {"required": True, "content": {JSON: {"schema": narrowed}}},
        "responses": {
            "2XX": {"description": "Taken, whatever the body says. Any other is a failure."},
            "410": {"description": "Not wanted any more: the endpoint is disabled."},
        },
    }
