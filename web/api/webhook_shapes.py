"""Webhook endpoints as a client writes and sees them, and everything that can be wrong with one.

Owns these shapes and their checks. Must not store or ask anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta, UnsetType

from dlr.webhooks.client import authority_fault
from dlr.webhooks.endpoints import BATCH_MAX, BATCH_WAIT_MS_MAX, Endpoint
from dlr.webhooks.endpoints import Secret as StoredSecret
from dlr.webhooks.events import unknown_filters
from dlr.webhooks.own_headers import header_faults
from dlr.webhooks.owner_desk import PREFIX
from dlr.webhooks.signature import (
    PRIVATE_PREFIX,
    SecretInvalid,
    public_key,
    signing_key,
    signing_of,
)
from messages.body_faults import Faults
from messages.json_text import pointer_step
from messages.models import FieldError
from storage.ids import format_id
from web.edge.arguments import read_body, refusal
from web.edge.bodies import BodyReader

EVENTS_MAX = 50
CA_CHARACTERS_MAX = 50_000
OVERLAP_SECONDS_MAX = 30 * 86_400
OVERLAP_SECONDS = 86_400

Numbers = Literal["masked", "full"]
Events = Annotated[
    tuple[str, ...],
    Meta(
        description="Types such as `message.delivered`; `message.*`; `final`, one of each message.",
        examples=[["message.*"]],
    ),
]
BatchMax = Annotated[
    int,
    Meta(
        description="Events in one request; above 1 they come as `events.batch`.",
        extra_json_schema={"minimum": 1, "maximum": BATCH_MAX},
    ),
]
BatchWait = Annotated[
    int,
    Meta(
        description="Milliseconds that an event waits for others.",
        extra_json_schema={"minimum": 0, "maximum": BATCH_WAIT_MS_MAX},
    ),
]
Ordered = Annotated[bool, Meta(description="A message's next event waits for the end of the last.")]
Ca = Annotated[
    str | None, Meta(description="PEM of the only authority that may vouch for the receiver.")
]
Headers = Annotated[dict[str, str], Meta(description="Sent with each request, kept encrypted.")]
Secret = Annotated[
    str | None,
    Meta(description="`whsec_` and base64 of 24 to 64 octets; absent: one is made and told once."),
]


class EndpointRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A new endpoint. `numbers` full takes a key with the scope `numbers:reveal`."""

    url: Annotated[str, Meta(description="https, port 443 or 8443, a public address.")]
    events: Events
    numbers: Numbers = "masked"
    ordered: Ordered = False
    batch_max: BatchMax = 1
    batch_wait_ms: BatchWait = 0
    headers: Headers = msgspec.field(default_factory=dict)
    ca: Ca = None
    signing: Annotated[
        Literal["hmac", "ed25519"],
        Meta(description="ed25519: signed with `v1a`; the receiver verifies by `public_key`."),
    ] = "hmac"
    secret: Secret = None


class EndpointPatch(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is to be different. What is not named stays."""

    url: str | UnsetType = UNSET
    events: Events | UnsetType = UNSET
    numbers: Numbers | UnsetType = UNSET
    ordered: Ordered | UnsetType = UNSET
    batch_max: BatchMax | UnsetType = UNSET
    batch_wait_ms: BatchWait | UnsetType = UNSET
    headers: Headers | UnsetType = UNSET
    ca: str | UnsetType | None = UNSET


class RotateRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How long both secrets sign, and the new one if it is to be yours."""

    overlap_seconds: Annotated[
        int, Meta(extra_json_schema={"minimum": 0, "maximum": OVERLAP_SECONDS_MAX})
    ] = OVERLAP_SECONDS
    secret: Secret = None


class KeyResource(msgspec.Struct, kw_only=True):
    """One of the keys that sign, the newest first. `until`: when it ends."""

    signing: str
    public_key: Annotated[str | None, Meta(description="`whpk_…` of an Ed25519 key.")]
    until: datetime | None


class EndpointResource(msgspec.Struct, kw_only=True):
    """An endpoint as it stands. Secrets and the values of headers are not shown again."""

    id: str
    object: str = "webhook_endpoint"
    url: str
    events: Sequence[str]
    numbers: str
    ordered: bool
    batch_max: int
    batch_wait_ms: int
    header_names: Sequence[str]
    ca: str | None
    keys: Sequence[KeyResource]
    state: Annotated[str, Meta(description="`active`, `failing`, `paused` or `disabled`.")]
    reason: Annotated[str | None, Meta(description="Why it is in that state.")]
    since: datetime
    last_success_at: datetime | None
    created_at: datetime


class NewKeyResource(EndpointResource, kw_only=True):
    """An endpoint and its new secret, which is not told again."""

    secret: Annotated[str | None, Meta(description="null: the key is Ed25519; see `keys`.")]


class EndpointList(msgspec.Struct):
    """A page of endpoints, oldest first."""

    data: list[EndpointResource]
    next_cursor: str | None


def resource(endpoint: Endpoint) -> EndpointResource:
    """As it is shown."""
    return EndpointResource(**_shown(endpoint))


def with_secret(endpoint: Endpoint) -> NewKeyResource:
    """As it is shown once."""
    return NewKeyResource(**_shown(endpoint), secret=told_once(endpoint.secrets))


def keys_of(secrets: Sequence[StoredSecret]) -> list[KeyResource]:
    """What signs, the newest first, without the secrets."""
    return [_key(each.key, each.until) for each in secrets]


def told_once(secrets: Sequence[StoredSecret]) -> str | None:
    """The newest secret; None of an Ed25519 key, whose public half is shown."""
    newest = secrets[0].key
    return newest if signing_of(newest) == "hmac" else None


async def read_rotation(
    request: web.Request, bodies: BodyReader, decoder: msgspec.json.Decoder[RotateRequest]
) -> RotateRequest:
    """The body, which may be left out. Raises ProblemError with all of its faults."""
    if not request.can_read_body:
        return RotateRequest()
    read = read_body(RotateRequest, decoder, await bodies.read(request))
    if read.body is not None:
        check_overlap(read.body, read.faults)
    if read.body is None or read.faults:
        raise refusal(read.faults)
    return read.body


def _shown(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "id": format_id(PREFIX, endpoint.id),
        "url": endpoint.url,
        "events": endpoint.events,
        "numbers": "full" if endpoint.full_numbers else "masked",
        "ordered": endpoint.ordered,
        "batch_max": endpoint.batch_max,
        "batch_wait_ms": endpoint.batch_wait_ms,
        "header_names": sorted(endpoint.headers),
        "ca": endpoint.ca,
        "keys": keys_of(endpoint.secrets),
        "state": endpoint.state.label,
        "reason": endpoint.reason,
        "since": endpoint.since,
        "last_success_at": endpoint.last_success_at,
        "created_at": endpoint.created_at,
    }


def _key(key: str, until: datetime | None) -> KeyResource:
    signing = signing_of(key)
    return KeyResource(
        signing=signing, public_key=public_key(key) if signing == "ed25519" else None, until=until
    )


def check_request(
    asked: EndpointRequest | EndpointPatch,
    faults: Faults,
    url_fault: Callable[[str], str | None],
) -> None:
    """Add everything that is wrong with what was asked for."""
    if isinstance(asked.url, str) and (fault := url_fault(asked.url)) is not None:
        faults.append(FieldError("webhook_url_refused", f"url: {fault}", "/url"))
    if isinstance(asked.events, tuple):
        _check_events(asked.events, faults)
    _check_range("batch_max", asked.batch_max, 1, BATCH_MAX, faults)
    _check_range("batch_wait_ms", asked.batch_wait_ms, 0, BATCH_WAIT_MS_MAX, faults)
    if isinstance(asked.headers, dict):
        _check_headers(asked.headers, faults)
    if isinstance(asked.ca, str):
        fault = f"has more than {CA_CHARACTERS_MAX} characters"
        if len(asked.ca) <= CA_CHARACTERS_MAX:
            fault = authority_fault(asked.ca)
        if fault is not None:
            faults.append(FieldError("ca_invalid", f"ca {fault}", "/ca"))
    if isinstance(asked, EndpointRequest):
        if asked.secret is not None and asked.signing != "hmac":
            detail = "a secret is for hmac; an Ed25519 key is made here"
            faults.append(FieldError("secret_invalid", detail, "/secret"))
        else:
            check_secret(asked.secret, faults)


def check_overlap(asked: RotateRequest, faults: Faults) -> None:
    """Add everything that is wrong with what was asked for."""
    _check_range("overlap_seconds", asked.overlap_seconds, 0, OVERLAP_SECONDS_MAX, faults)
    check_secret(asked.secret, faults)


def check_secret(secret: str | None, faults: Faults) -> None:
    """Of a caller's own making."""
    if secret is None:
        return
    try:
        if secret.startswith(PRIVATE_PREFIX):
            raise SecretInvalid("expected whsec_ and base64")
        signing_key(secret)
    except SecretInvalid as error:
        faults.append(FieldError("secret_invalid", f"secret: {error}", "/secret"))


def _check_events(events: Sequence[str], faults: Faults) -> None:
    if not 1 <= len(events) <= EVENTS_MAX:
        faults.append(FieldError("out_of_range", f"events are 1 to {EVENTS_MAX}", "/events"))
        return
    unknown = set(unknown_filters(events))
    for position, name in enumerate(events):
        if name in unknown:
            detail = f"there is no type of events {name[:100]!r}; docs/meanings.md lists them"
            faults.append(FieldError("event_unknown", detail, f"/events/{position}"))


def _check_headers(headers: Mapping[str, str], faults: Faults) -> None:
    for name, fault in header_faults(headers).items():
        pointer = f"/headers{pointer_step(name)}" if name else "/headers"
        detail = f"{name[:100]} {fault}" if name else f"headers are {fault}"
        faults.append(FieldError("header_invalid", detail, pointer))


def _check_range(name: str, value: object, low: int, high: int, faults: Faults) -> None:
    if isinstance(value, int) and not low <= value <= high:
        faults.append(FieldError("out_of_range", f"{name} is {low} to {high}", f"/{name}"))
