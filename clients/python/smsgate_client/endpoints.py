"""Owns the shapes of webhook endpoints: where an account hears of its events.

Must not verify what one is sent: see webhooks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from typing import TypedDict

from smsgate_client.words import DeliveryState, EndpointState, Numbers, Signing


@dataclass(frozen=True)
class NewEndpoint:
    """A URL that is to hear of events: of types, of `message.*`, or of `final` ones.

    Without a `secret` the gateway makes one, and tells it once.
    """

    url: str
    events: Sequence[str]
    _: KW_ONLY
    numbers: Numbers | str | None = None
    ordered: bool | None = None
    batch_max: int | None = None
    batch_wait_ms: int | None = None
    headers: Mapping[str, str] | None = None
    ca: str | None = None
    signing: Signing | str | None = None
    secret: str | None = None


class EndpointChanges(TypedDict, total=False):
    """What is to be different; what is not given stays."""

    url: str
    events: Sequence[str]
    numbers: Numbers | str
    ordered: bool
    batch_max: int
    batch_wait_ms: int
    headers: Mapping[str, str]
    ca: str | None


@dataclass(frozen=True, kw_only=True)
class EndpointKey:
    """One of the keys that sign, the newest first; it ends at `until`."""

    signing: Signing
    public_key: str | None
    until: datetime | None


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """An endpoint as it stands."""

    id: str
    url: str
    events: tuple[str, ...]
    numbers: Numbers
    ordered: bool
    batch_max: int
    batch_wait_ms: int
    header_names: tuple[str, ...]
    ca: str | None
    keys: tuple[EndpointKey, ...]
    state: EndpointState
    reason: str | None
    since: datetime
    last_success_at: datetime | None
    created_at: datetime
    object: str = "webhook_endpoint"


@dataclass(frozen=True, kw_only=True)
class NewEndpointKey(Endpoint):
    """An endpoint and its new secret, which is not told again; None: the key is Ed25519."""

    secret: str | None


@dataclass(frozen=True, kw_only=True)
class EndpointTest:
    """What the receiver said to a `webhook.test`."""

    delivered: bool
    status: int | None
    error: str | None
    detail: str | None
    milliseconds: int
    answer: str


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One attempt at a delivery, or one that waits."""

    id: str
    state: DeliveryState
    attempt: int
    at: datetime
    types: tuple[str, ...]
    event_ids: tuple[str, ...]
    url: str | None
    status: int | None
    error: str | None
    milliseconds: int | None
    answer: str | None
    object: str = "webhook_delivery"


@dataclass(frozen=True, kw_only=True)
class Redelivered:
    """A delivery that is told once more, with the same id and the same octets."""

    id: str
    state: DeliveryState = DeliveryState.WAITING
    object: str = "webhook_delivery"


@dataclass(frozen=True)
class Replay:
    """What is told once more: attempts since then, and before `until`, with one of `states`."""

    since: datetime
    _: KW_ONLY
    until: datetime | None = None
    types: Sequence[str] | None = None
    states: Sequence[DeliveryState | str] | None = None
    cursor: str | None = None


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """How many events wait once more. `next_cursor` goes on where one request did not suffice."""

    events: int
    seconds: float
    next_cursor: str | None


@dataclass(frozen=True, kw_only=True)
class Callbacks:
    """Whereto messages may name a callback, and what signs it."""

    hosts: tuple[str, ...]
    keys: tuple[EndpointKey, ...]
    object: str = "webhook_callbacks"


@dataclass(frozen=True, kw_only=True)
class NewCallbackKey(Callbacks):
    """The same and the new secret, which is not told again."""

    secret: str | None
