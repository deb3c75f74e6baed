"""A receiver of webhooks: an application that is told what became of its messages.

Owns the verification, as any receiver does it (Standard Webhooks 1.0.0), and the counts. Must not
use what the gateway signs with but its secret: who checks with the signer's own code proves little.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
from collections.abc import AsyncIterator, Callable

import msgspec
from aiohttp import web

from gateway.rehearsal.client import Client
from gateway.rehearsal.processes import RehearsalError
from gateway.rehearsal.receiving import serving

PATH = "/told"
BATCH_MAX = 500
BATCH_WAIT_MS = 200
CREATED = 201


class Told(msgspec.Struct):
    """What has arrived: requests, events by id, and requests whose signature was wrong."""

    requests: int = 0
    forged: int = 0
    events: dict[str, str] = msgspec.field(default_factory=dict)  # id -> type
    final: set[str] = msgspec.field(default_factory=set)  # messages with a last status

    @property
    def delivered(self) -> int:
        """Events of a delivered message."""
        return sum(kind == "message.delivered" for kind in self.events.values())

    def note(self, event_id: str, kind: str, data: object) -> None:
        """One event, which may come again."""
        self.events[event_id] = kind
        if isinstance(data, dict) and data.get("final"):
            self.final.add(str(data["id"]))


class _Batch(msgspec.Struct):
    events: list[dict[str, object]]


class _Body(msgspec.Struct):
    type: str
    data: dict[str, object]


class Receiver:
    """Answers 204 to what is signed with its secret, 401 to anything else."""

    def __init__(self, heard: Callable[[str, str, object], None] | None = None) -> None:
        """`heard` takes each event's id, type and data; without it they are kept in `told`."""
        self.told = Told()
        self._heard = self.told.note if heard is None else heard
        self._key = b""

    async def subscribe(self, client: Client, base: str) -> str:
        """Ask for every message's last status; the endpoint's id. Raises RehearsalError."""
        asked = {
            "url": base + PATH,
            "events": ["final"],
            "batch_max": BATCH_MAX,
            "batch_wait_ms": BATCH_WAIT_MS,
        }
        status, answer = await client.call("POST", "/v1/webhook-endpoints", asked)
        if status != CREATED:
            raise RehearsalError(f"no webhook endpoint: {status} {str(answer)[:300]}")
        self.knows(answer["secret"])
        return str(answer["id"])

    def knows(self, secret: str) -> None:
        """The secret of its endpoint, `whsec_…`: where another process has asked for it."""
        self._key = base64.b64decode(secret.removeprefix("whsec_"))

    async def take(self, request: web.Request) -> web.Response:
        """One delivery."""
        body = await request.read()
        self.told.requests += 1
        webhook_id = request.headers.get("webhook-id", "")
        signed = f"{webhook_id}.{request.headers.get('webhook-timestamp', '')}.".encode() + body
        mac = base64.b64encode(hmac.digest(self._key, signed, hashlib.sha256)).decode()
        given = request.headers.get("webhook-signature", "").split(" ")
        if not any(hmac.compare_digest(f"v1,{mac}", each) for each in given):
            self.told.forged += 1
            return web.Response(status=401)
        told = msgspec.json.decode(body, type=_Body)
        if told.type == "events.batch":
            for event in msgspec.convert(told.data, _Batch).events:
                self._heard(str(event["id"]), str(event["type"]), event["data"])
        else:
            self._heard(webhook_id, told.type, told.data)
        return web.Response(status=204)

    @property
    def application(self) -> web.Application:
        """It, for a server."""
        found = web.Application(client_max_size=1 << 20)
        found.router.add_post(PATH, self.take)
        return found


@contextlib.asynccontextmanager
async def receiving(client: Client) -> AsyncIterator[Told]:
    """A receiver of this application on a free port, and its endpoint at the gateway."""
    receiver = Receiver()
    async with serving(receiver.application) as url:
        await receiver.subscribe(client, url)
        yield receiver.told
