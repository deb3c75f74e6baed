"""Owns the check that a webhook comes from the gateway, and what it says (Standard Webhooks 1.0.0).

Must not do I/O. The clock is read only where no `now` is given.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from smsgate_client.problems import WebhookInvalid
from smsgate_client.shapes import ShapeError, read
from smsgate_client.words import EventType

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
PREFIX = "whsec_"
SCHEME = "v1"
TOLERANCE_SECONDS = 300
KEY_OCTETS_MIN = 16
DIGITS_MAX = 12


@dataclass(frozen=True, kw_only=True)
class WebhookEvent:
    """What happened. The same `id` may come more than once, and events in any order.

    A message's events have a `sequence` in `data`: what is below the one you know is old news.
    """

    type: EventType
    timestamp: datetime
    data: Mapping[str, object]
    id: str = ""

    def events(self) -> Iterator[WebhookEvent]:
        """Itself, or each of the events that were delivered together."""
        if self.type is not EventType.EVENTS_BATCH:
            yield self
            return
        inner = self.data.get("events")
        if not isinstance(inner, list):
            raise WebhookInvalid("a batch of events without events")
        for each in inner:
            yield _event(each, "")


class Webhooks:
    """The receiver's side of one endpoint. While its secret is changed, give both."""

    def __init__(self, *secrets: str, tolerance_seconds: float = TOLERANCE_SECONDS) -> None:
        """`secrets`: as `whsec_…`, as the endpoint was answered when it was made."""
        if not secrets:
            raise ValueError("at least one secret is needed")
        self._keys = tuple(map(_key, secrets))
        self._tolerance_seconds = tolerance_seconds

    def verify(
        self, body: bytes, headers: Mapping[str, str], *, now: float | None = None
    ) -> WebhookEvent:
        """The event that a request tells; raises WebhookInvalid.

        `body` is what came over the wire, octet for octet; `now` is in seconds since 1970.
        """
        given = {name.lower(): value for name, value in headers.items()}
        event_id, sent_at, signatures = (
            _header(given, each) for each in (ID, TIMESTAMP, SIGNATURE)
        )
        self._check_age(sent_at, time.time() if now is None else now)
        signed = b".".join((event_id.encode(), sent_at.encode(), body))
        # Each against each, so that how long it takes says nothing of where one fits.
        expected = [_signature(key, signed) for key in self._keys]
        fits = [
            hmac.compare_digest(each, signature)
            for signature in _signatures(signatures)
            for each in expected
        ]
        if not any(fits):
            raise WebhookInvalid(f"no signature in {SIGNATURE} is of a known secret")
        try:
            return _event(json.loads(body), event_id)
        except ValueError:
            raise WebhookInvalid("the body is signed, but no JSON") from None

    def _check_age(self, sent_at: str, now: float) -> None:
        if not (sent_at.isascii() and sent_at.isdigit() and len(sent_at) <= DIGITS_MAX):
            raise WebhookInvalid(f"{TIMESTAMP} is no number of seconds")
        age = now - int(sent_at)
        if abs(age) > self._tolerance_seconds:
            where = "old" if age > 0 else "ahead; is this machine's clock right?"
            raise WebhookInvalid(f"{TIMESTAMP} is {abs(age):.0f} s {where}")


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except ValueError:
        raise ValueError("a secret is whsec_ and base64; this one is not") from None
    if len(key) < KEY_OCTETS_MIN:
        raise ValueError(f"a secret has {KEY_OCTETS_MIN} octets at least; this one has {len(key)}")
    return key


def _header(given: Mapping[str, str], name: str) -> str:
    value = given.get(name)
    if not value:
        raise WebhookInvalid(f"the header {name} is missing")
    return value


def _signature(key: bytes, signed: bytes) -> bytes:
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())


def _signatures(header: str) -> Sequence[bytes]:
    """Those of the scheme that a shared secret can check; others are for others."""
    entries = (each.partition(",") for each in header.split(" "))
    return [value.encode() for scheme, _, value in entries if scheme == SCHEME]


def _event(document: object, event_id: str) -> WebhookEvent:
    try:
        event = read(WebhookEvent, document)
    except ShapeError as error:
        raise WebhookInvalid(f"the body is signed, but no event: {error}") from None
    return replace(event, id=event_id) if event_id else event
