"""An API over rooms that keep everything in memory, behind a real server on a free port."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import aiohttp
import msgspec

from dlr.thresholds import thresholds_of
from gateway.commands.own_gateway import connector
from gateway.config.settings import Config, HttpSettings
from gateway.config.values import Address
from gateway.wiring.web import route_view, server_pair, server_settings
from messages.accept.templated import NoTemplates
from messages.accept.validation import Validator
from messages.models import AccountPolicy
from messages.rules.quiet_hours import TimingRules
from recipients.numbers.plan import NumberPlan
from storage.categories import Category
from tests.web.nobody import (
    NoAnomalies,
    Nobody,
    NoBreakers,
    NoCaps,
    NoComplaints,
    NoConsents,
    NoContactFiles,
    NoContacts,
    NoConversions,
    NoEvents,
    NoFiles,
    NoLinks,
    NoPersons,
    NoProof,
    NoSegments,
    NothingAudited,
    NothingRaw,
    NoWebhooks,
)
from tests.web.rooms.campaigns import ForgottenCampaigns
from tests.web.rooms.control import Control
from tests.web.rooms.messages import NOW_MS
from tests.web.rooms.operators import Operators
from tests.web.rooms.reports import Reports
from tests.web.rooms.requests import Requests
from tests.web.rooms.templates import ForgottenTemplates, no_link_faults
from web.contact_services import ContactRooms
from web.edge.cursors import KEY_BYTES, Cursors
from web.edge.keys import StoredKey, hash_of, new_key
from web.edge.request_limits import RequestLimits
from web.edge.reveals import REASON, REVEAL
from web.segment_services import SegmentRooms
from web.server import HttpServer, create_app
from web.services import Services
from web.template_services import TemplateServices

ALL_BUT_ADMIN = (
    "messages:send", "messages:read", "reports:read", "inbound:read", "suppressions:read",
    "suppressions:write", "suppressions:exchange", "numbers:read", "consents:read",
    "consents:write", "numbers:reveal", "complaints:read", "complaints:write", "conversions:write",
    "links:read", "links:write", "contacts:read", "contacts:write", "events:write",
    "segments:read", "segments:write",
    "templates:read", "templates:write", "templates:approve",
    "connectors:read", "webhooks:read", "webhooks:write", "audit:read",
    "persons:export", "persons:erase", "campaigns:read", "campaigns:write", "campaigns:send",
)  # fmt: skip


class Memory(Control, Requests, Reports, Operators):
    """All rooms of one server, which fail together. `later_ms` have gone by."""

    def __init__(self) -> None:
        super().__init__()
        self.later_ms = 0

    def quota(self, _account: int, _now_ns: int) -> tuple[int, int]:
        return 7, 2_500_000_000


ACCOUNTS: Mapping[int, AccountPolicy] = {
    1: AccountPolicy(id=1, name="default"),
    2: AccountPolicy(
        id=2,
        name="shop",
        default_category=Category.MARKETING,
        senders=("10690001", "SHOP"),
        signature="【XX商城】",
        opt_out_suffix="回T退订",
    ),
}


@dataclass
class Api:
    """A client of the server, with a key for each account."""

    memory: Memory
    session: aiohttp.ClientSession
    url: str
    port: int
    headers: dict[str, str]
    time: list[float] = field(default_factory=lambda: [0.0])

    def new_key(self, account: int, *scopes: str) -> dict[str, str]:
        """Authorization of a fresh key, with a reason where it may show numbers."""
        key = new_key()
        key_hash = hash_of(key)
        assert key_hash is not None
        self.memory.keys[key_hash] = StoredKey(len(self.memory.keys), account, frozenset(scopes))
        reason = {REASON: "complaint 4711"} if REVEAL in scopes else {}
        return {"Authorization": f"Bearer {key}", **reason}

    async def post(
        self, path: str, body: object, headers: Mapping[str, str] | None = None
    ) -> tuple[aiohttp.ClientResponse, dict[str, Any]]:
        data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return await self.call(
            "POST", path, data, {"Content-Type": "application/json", **(headers or {})}
        )

    async def get(
        self, path: str, headers: Mapping[str, str] | None = None
    ) -> tuple[aiohttp.ClientResponse, dict[str, Any]]:
        return await self.call("GET", path, None, headers or {})

    async def call(
        self, method: str, path: str, data: bytes | None, headers: Mapping[str, str]
    ) -> tuple[aiohttp.ClientResponse, dict[str, Any]]:
        merged = {**self.headers, **headers}
        async with self.session.request(
            method, self.url + path, data=data, headers=merged, allow_redirects=False
        ) as response:
            body = await response.read()
            if response.content_type == "application/x-ndjson":
                return response, {
                    "lines": [msgspec.json.decode(line) for line in body.splitlines()]
                }
            parsed = msgspec.json.decode(body) if "json" in response.content_type else {}
            return response, parsed if body else {}


def in_memory(
    memory: Memory,
    time: Callable[[], float],
    accounts: Mapping[int, AccountPolicy] = ACCOUNTS,
) -> Services:
    """Services over one Memory; validation, numbering plans and routes are the real ones."""
    return Services(
        accepter=memory,
        idempotency=memory,
        doubts=memory,
        validator=Validator(
            numbers=NumberPlan(),
            route=memory.route,
            link_base_url="https://s.example",
            parts_max=10,
            validity_seconds_max=259_200,
            timing=TimingRules(),
        ),
        accounts=accounts,
        policy_preview=memory,
        finish=memory,
        explain_route=partial(route_view, memory.routes),
        messages=memory,
        inbound=Nobody(),
        suppressions=Nobody(),
        imports=NoFiles(),
        exports=NoFiles(),
        numbers=Nobody(),
        number_check=Nobody(),
        consents=NoConsents(),
        complaints=NoComplaints(),
        conversions=NoConversions(),
        contacts=ContactRooms(NoContacts(), NoContactFiles(), NoEvents()),
        links=NoLinks(),
        segments=SegmentRooms(NoSegments(), NoSegments()),
        templates=TemplateServices(ForgottenTemplates(), NoTemplates(), no_link_faults),
        campaigns=ForgottenCampaigns(),
        experiments=ForgottenCampaigns(),
        caps=NoCaps(),
        proofs=NoProof(),
        control=memory,
        queues=memory,
        reports=memory,
        funnels=memory,
        clicks=memory,
        replies=memory,
        thresholds=thresholds_of(),
        connectors=memory.connectors,
        routes=memory.route_states,
        operations=memory,
        readiness=memory,
        snapshot=memory.snapshot,
        keys=memory,
        reveals=memory,
        raw_deliveries=NothingRaw(),
        breakers=NoBreakers(),
        anomalies=NoAnomalies(),
        audit=NothingAudited(),
        persons=NoPersons(),
        webhooks=NoWebhooks(),
        limits=RequestLimits({}, {}, parts_quota=memory.quota, monotonic_ns=lambda: 0),
        cursors=Cursors(bytes(KEY_BYTES)),
        new_batch_id=memory.ids.next,
        wall_ms=lambda: NOW_MS + memory.later_ms,
        monotonic=time,
    )


@asynccontextmanager
async def running_api(settings: HttpSettings | None = None, **rooms: Any) -> AsyncIterator[Api]:
    """The API on a free port, asked with a key of account 1 that may do everything but `admin`.

    `rooms` take the place of fields of Services.
    """
    memory, time = Memory(), [0.0]
    settings = settings or HttpSettings()
    settings = msgspec.structs.replace(settings, listen=Address("127.0.0.1:0"))
    services = replace(in_memory(memory, lambda: time[0]), **rooms)
    served = server_settings(settings)
    app = create_app(services, served)
    server = HttpServer(app, served, drain_seconds=1, pair=server_pair(settings))
    host, port = await server.start()
    scheme = "https" if served.tls else "http"
    believing = connector(Config(http=settings))
    async with aiohttp.ClientSession(connector=believing) as session:
        api = Api(memory, session, f"{scheme}://{host}:{port}", port, {}, time)
        api.headers = api.new_key(1, *ALL_BUT_ADMIN)
        try:
            yield api
        finally:
            await server.stop()


def created() -> datetime:
    """When every message of these tests is made."""
    return datetime.fromtimestamp(NOW_MS / 1000, UTC)
