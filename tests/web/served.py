"""An API over rooms that keep everything in memory, behind a real server on a free port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import aiohttp
import msgspec

from campaigns.funnel_desk import FunnelReport
from dlr.rates import delivery_rates
from dlr.report import Latency
from dlr.report_desk import (
    FailedParts,
    Failures,
    Figures,
    GroupPage,
    Latencies,
    Report,
    ReportGroup,
)
from gateway.config.settings import HttpSettings
from gateway.config.values import Address
from gateway.wiring.web import ReloadDoor, server_settings
from messages.accept.idempotency import Claimed, InProgress, KeptAnswer, OtherBody, RequestKey
from messages.accept.rehearsal import PolicyDecision
from messages.accept.validation import Validator
from messages.control.batches import BatchChange, BatchConflict, BatchView
from messages.control.doubts import Resolution
from messages.control.waiting import QueueKind, QueueView
from messages.models import AccountPolicy, FieldError, GivenIds, Prepared, Refused, Verdict
from messages.reading.listing import MessageFilter
from messages.reading.reader import MessagePage, MessageView
from messages.reading.timeline import Timeline, TimelineEvent, TimelinePage
from messages.rules.quiet_hours import TimingRules
from ratelimit.spec import RateSpec
from recipients.numbers.plan import NumberPlan
from storage.categories import Category
from storage.faults import Overloaded
from storage.ids import IdSource, time_of
from tests.web.nobody import Nobody, NoConsents, NothingRaw
from web.edge.cursors import KEY_BYTES, Cursors
from web.edge.keys import StoredKey, hash_of, new_key
from web.edge.request_limits import RequestLimits
from web.edge.reveal_log import Revealed
from web.samples import HistogramSample, Sample
from web.server import HttpServer, create_app
from web.services import Component, ConnectorUnknown, ConnectorView, Reloaded, RouteView, Services

NOW_MS = 1_790_000_000_000
SUPPRESSED_NUMBER = "+8613900000000"
CONNECTOR = 1
ALL_BUT_ADMIN = (
    "messages:send", "messages:read", "reports:read", "inbound:read", "suppressions:read",
    "suppressions:write", "numbers:read", "consents:read", "consents:write", "numbers:reveal",
    "connectors:read",
)  # fmt: skip


class Memory:
    """Accepter, MessageReader, Reporter, Readiness and KeyStore in one, as their protocols say."""

    delivery_dimensions = ("category", "connector", "campaign_id")
    funnel_dimensions = ("campaign_id", "variant")

    def __init__(self) -> None:
        self.ids = IdSource(1, lambda: NOW_MS)
        self.stored: dict[int, tuple[Prepared, int | None]] = {}
        self.references: dict[tuple[int, str], int] = {}
        self.resolutions: dict[int, str] = {}
        self.resolved: list[int] = []
        self.wanted: MessageFilter | None = None  # of the last list
        self.requests: dict[RequestKey, tuple[bytes, KeptAnswer | None]] = {}
        self.batch_sizes: list[int] = []
        self.keys: dict[bytes, StoredKey] = {}
        self.key_lookups = 0
        self.failure: BaseException | None = None
        self.refuse_from: int | None = None
        self.accepting: asyncio.Event | None = None  # until it is set nothing is accepted
        self.components = [Component("database", True)]
        self.samples: list[Sample | HistogramSample] = []
        self.asked: list[tuple[object, ...]] = []
        self.pages_asked: list[GroupPage] = []
        self.later_ms = 0
        self.timelines_asked: list[TimelinePage] = []
        self.more_groups: tuple[str, ...] | None = None
        self.revealed: list[tuple[int, int, Revealed]] = []
        self.validating = asyncio.Event()
        self.sending: set[int] = set()
        self.canceled: set[int] = set()
        self.batches: dict[int, BatchView] = {}

    def route(
        self, to: str, _sender: str, _category: int, _account: str, _tags: Sequence[str]
    ) -> int:
        """+86 and +44 go to the one connector there is; nothing else has a route."""
        self.validating.set()
        return CONNECTOR if to.startswith(("+86", "+44")) else 0

    async def reload(self, *, allow_removals: bool = False) -> Reloaded:
        """Nothing has changed, or `failure`."""
        self.fail()
        return Reloaded(added=[], removed=[], adjusted=[], rebinding=[], restart_needed=[])

    def change_connector(
        self, name: str, rate: RateSpec | bool | None, paused: bool | None
    ) -> None:
        if name != "carrier-a":
            raise ConnectorUnknown(name)
        self.asked.append((name, rate, paused))

    def status(self, message_id: int) -> str:
        if message_id in self.canceled:
            return "canceled"
        return "sending" if message_id in self.sending else "queued"

    async def note(self, account: int, key_id: int, revealed: Revealed) -> None:
        self.fail()
        self.revealed.append((account, key_id, revealed))

    def fail(self) -> None:
        if self.failure is not None:
            raise self.failure

    @contextmanager
    def running(self, key: RequestKey) -> Iterator[None]:
        if self.requests.get(key, (b"", True))[1] is None:
            raise InProgress
        try:
            yield
        finally:
            if self.requests.get(key, (b"", True))[1] is None:
                del self.requests[key]

    async def claim(self, key: RequestKey, fingerprint: bytes, count: int) -> Claimed | KeptAnswer:
        self.fail()
        before, answer = self.requests.setdefault(key, (fingerprint, None))
        if before != fingerprint:
            raise OtherBody
        return answer or Claimed(self.ids.take(count))

    async def keep(self, key: RequestKey, answer: KeptAnswer) -> None:
        self.requests[key] = (self.requests[key][0], answer)

    async def accept(
        self, items: Sequence[Prepared], *, batch_id: int | None, ids: GivenIds | None = None
    ) -> list[Verdict | Refused]:
        if self.accepting is not None:
            await self.accepting.wait()
        self.fail()
        self.batch_sizes.append(len(items))
        answers: list[Verdict | Refused] = []
        for position, item in enumerate(items):
            if self.refuse_from is not None and position >= self.refuse_from:
                answers.append(Refused("storage_unavailable", "not stored"))
                continue
            message_id = self.ids.next() if ids is None else ids.ids[position]
            if item.client_ref is not None:
                first = self.references.setdefault((item.account, item.client_ref), message_id)
                if first != message_id and _asks(self.stored[first][0]) != _asks(item):
                    fault = FieldError("client_ref_reused", "used before", "/client_ref")
                    answers.append(Refused(fault.code, fault.detail, (fault,)))
                    continue
                if first != message_id:
                    answers.append(Verdict(first, "queued", None, item.text, deduplicated=True))
                    continue
            self.stored[message_id] = (item, batch_id)
            if item.to == SUPPRESSED_NUMBER:
                answers.append(Verdict(message_id, "suppressed", "opted_out", item.text))
            else:
                answers.append(Verdict(message_id, "accepted", None, item.text))
        return answers

    def quota(self, _account: int, _now_ns: int) -> tuple[int, int]:
        return 7, 2_500_000_000

    async def decisions(self, items: Sequence[Prepared]) -> list[list[PolicyDecision]]:
        self.fail()
        suppressed = PolicyDecision("suppression", "suppressed", "opted_out")
        return [[suppressed] if item.to == SUPPRESSED_NUMBER else [] for item in items]

    async def message(self, account: int, message_id: int) -> MessageView | None:
        self.fail()
        item, batch_id = self.stored.get(message_id, (None, None))
        if item is None or item.account != account:
            return None
        return MessageView(
            id=message_id,
            to=item.to,
            sender=item.sender,
            text=item.text,
            category=item.category,
            status=self.status(message_id),
            final=False,
            parts=item.parts,
            data_coding=item.data_coding,
            client_ref=item.client_ref,
            batch_id=batch_id,
            tags=item.tags,
            created_at=time_of(message_id),
        )

    async def listed(
        self, account: int, wanted: MessageFilter, below: int | None, limit: int
    ) -> MessagePage:
        self.wanted = wanted
        ids = [each for each in sorted(self.stored, reverse=True) if below is None or each < below]
        views = [view for each in ids if (view := await self.message(account, each)) is not None]
        more = len(views) > limit
        return MessagePage(views[:limit], views[limit - 1].id if more else None)

    async def resolve(
        self, account: int, key_id: int, action: str, message_ids: Sequence[int]
    ) -> list[Resolution]:
        self.resolved += message_ids
        return [Resolution(each, self.resolutions.get(each, "not_found")) for each in message_ids]

    async def events(self, account: int, message_id: int, page: TimelinePage) -> Timeline | None:
        if await self.message(account, message_id) is None:
            return None
        self.timelines_asked.append(page)
        accepted = TimelineEvent(time_of(message_id), "accepted", {"parts": 1})
        return Timeline([accepted], 7 if page.clicks_max == 1 and page.after is None else None)

    async def queue(self, account: int) -> QueueView:
        self.fail()
        mine = [item for item, _ in self.stored.values() if item.account == account]
        kind = QueueKind(
            connector="carrier-a", category="otp", messages=len(mine), parts=len(mine),
            in_memory=0, oldest_seconds=1.5,
        )  # fmt: skip
        return QueueView([kind], {"paused": 2})

    async def batch(self, account: int, batch_id: int) -> BatchView | None:
        self.fail()
        mine = [item for item, batch in self.stored.values() if batch == batch_id]
        if not mine or mine[0].account != account:
            return None
        change = self.batches.get(batch_id, BatchView(
            id=batch_id, until_id=0, state="active", rate=None, in_flight=0, changed_at=None
        ))  # fmt: skip
        change.counts = {"accepted": len(mine)}
        return change

    async def change_batch(
        self, account: int, batch_id: int, change: BatchChange
    ) -> BatchView | None:
        view = await self.batch(account, batch_id)
        if view is None:
            return None
        if view.state == "canceled" != change.state:
            raise BatchConflict("batch_canceled", "canceled")
        view.state = change.state or view.state
        view.rate = view.rate if change.rate is msgspec.UNSET else change.rate
        view.in_flight = 3
        self.batches[batch_id] = view
        return view

    async def cancel(self, account: int, message_id: int) -> bool:
        self.fail()
        item, _ = self.stored.get(message_id, (None, None))
        if item is None or item.account != account or message_id in self.sending:
            return False
        self.canceled.add(message_id)
        return True

    async def delivery(
        self,
        account: int,
        since: datetime,
        until: datetime,
        group_by: Sequence[str],
        page: GroupPage,
    ) -> Report:
        self.fail()
        self.pages_asked.append(page)
        self.asked.append((account, since, until, tuple(group_by)))
        counts = {"accepted": 4, "sent": 4, "delivered": 3}
        rates = delivery_rates(counts)
        groups = [ReportGroup(counts, rates, {name: "x"}) for name in group_by]
        return Report(groups, Figures(counts, rates), self.more_groups)

    async def funnel(
        self,
        account: int,
        since: datetime,
        until: datetime,
        group_by: Sequence[str],
        page: GroupPage,
    ) -> FunnelReport:
        found = await self.delivery(account, since, until, group_by, page)
        return FunnelReport(found.groups, found.total, found.more_after)

    async def failures(self, account: int, since: datetime, until: datetime) -> Failures:
        self.fail()
        self.asked.append((account, since, until, ()))
        told = [FailedParts("carrier-a", "undelivered", "number_unknown", "MK:0001", 3)]
        return Failures(told, 4, complete=False)

    async def latency(self, account: int, since: datetime, until: datetime) -> Latencies:
        self.fail()
        self.asked.append((account, since, until, ()))
        return Latencies([Latency("otp", 7, 0.01, 0.02, 0.03)], [])

    async def check(self) -> list[Component]:
        return self.components

    async def find(self, key_hash: bytes) -> StoredKey | None:
        self.key_lookups += 1
        self.fail()
        return self.keys.get(key_hash)

    def connectors(self) -> list[ConnectorView]:
        return [
            ConnectorView(
                name="carrier-a", kind="smpp", up=False, reason="connection refused", binds=2,
                binds_up=0, window=100, in_flight=0, queued=7, rate="500/s",
            )
        ]  # fmt: skip

    def snapshot(self) -> Iterable[Sample | HistogramSample]:
        return self.samples


def _asks(item: Prepared) -> tuple[object, ...]:
    return item.to, item.sender, item.category, item.asked_text


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
        """Authorization of a fresh key."""
        key = new_key()
        key_hash = hash_of(key)
        assert key_hash is not None
        self.memory.keys[key_hash] = StoredKey(len(self.memory.keys), account, frozenset(scopes))
        return {"Authorization": f"Bearer {key}"}

    async def post(
        self, path: str, body: object, headers: Mapping[str, str] | None = None
    ) -> tuple[aiohttp.ClientResponse, dict[str, object]]:
        data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return await self.call(
            "POST", path, data, {"Content-Type": "application/json", **(headers or {})}
        )

    async def get(
        self, path: str, headers: Mapping[str, str] | None = None
    ) -> tuple[aiohttp.ClientResponse, dict[str, object]]:
        return await self.call("GET", path, None, headers or {})

    async def call(
        self, method: str, path: str, data: bytes | None, headers: Mapping[str, str]
    ) -> tuple[aiohttp.ClientResponse, dict[str, object]]:
        merged = {**self.headers, **headers}
        async with self.session.request(
            method, self.url + path, data=data, headers=merged, allow_redirects=False
        ) as response:
            body = await response.read()
            parsed = msgspec.json.decode(body) if "json" in response.content_type else {}
            return response, parsed if body else {}


def in_memory(
    memory: Memory,
    time: Callable[[], float],
    accounts: Mapping[int, AccountPolicy] = ACCOUNTS,
) -> Services:
    """Services over one Memory; real validation, numbering plans included."""
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
        explain_route=lambda _message, _account: RouteView(
            "carrier-a", "routes[0]", ("carrier-b",)
        ),
        messages=memory,
        inbound=Nobody(),
        suppressions=Nobody(),
        numbers=Nobody(),
        consents=NoConsents(),
        control=memory,
        queues=memory,
        reports=memory,
        funnels=memory,
        connectors=memory.connectors,
        operations=ReloadDoor(memory),
        readiness=memory,
        snapshot=memory.snapshot,
        keys=memory,
        reveals=memory,
        raw_deliveries=NothingRaw(),
        limits=RequestLimits({}, {}, parts_quota=memory.quota, monotonic_ns=lambda: 0),
        cursors=Cursors(bytes(KEY_BYTES)),
        new_batch_id=memory.ids.next,
        wall_ms=lambda: NOW_MS + memory.later_ms,
        monotonic=time,
    )


@asynccontextmanager
async def running_api(settings: HttpSettings | None = None, **rooms: object) -> AsyncIterator[Api]:
    """The API on a free port, asked with a key of account 1 that may do everything but `admin`.

    `rooms` take the place of fields of Services.
    """
    memory, time = Memory(), [0.0]
    settings = settings or HttpSettings()
    settings = msgspec.structs.replace(settings, listen=Address("127.0.0.1:0"))
    services = replace(in_memory(memory, lambda: time[0]), **rooms)
    served = server_settings(settings)
    app = create_app(services, served)
    server = HttpServer(app, served, drain_seconds=1)
    host, port = await server.start()
    async with aiohttp.ClientSession() as session:
        api = Api(memory, session, f"http://{host}:{port}", port, {}, time)
        api.headers = api.new_key(1, *ALL_BUT_ADMIN)
        try:
            yield api
        finally:
            await server.stop()


def created() -> datetime:
    """When every message of these tests is made."""
    return datetime.fromtimestamp(NOW_MS / 1000, UTC)


__all__ = ["Api", "Memory", "Overloaded", "created", "in_memory", "running_api"]
