"""What the HTTP edge needs from the rest of the gateway: small protocols, nothing concrete.

Owns these seams and the shapes that cross them. The composition root fills them in; tests fill them
in with objects in memory. Must not import what implements them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import msgspec

from messages.accept.idempotency import Claimed, KeptAnswer, RequestKey
from messages.accept.validation import Validator
from messages.models import Accepter, AccountPolicy, Prepared
from ratelimit.spec import RateSpec
from web.consents import ConsentLedger
from web.control_services import MessageControl, QueueReader
from web.edge.cursors import Cursors
from web.edge.request_limits import RequestLimits
from web.meanings import ReasonName, StatusName
from web.raw_deliveries import RawDeliveries
from web.recipients import Recipients
from web.report_services import Reporter
from web.reveal_record import RevealLog


class MessageView(msgspec.Struct, kw_only=True):
    """A message as it stands. `to` in E.164: the API masks it; None: it cannot be read."""

    id: int
    to: str | None
    sender: str
    text: str
    category: int
    status: str  # label of dlr/status.py
    final: bool
    parts: int
    data_coding: int
    parts_delivered: int = 0
    reason: str | None = None  # label of dlr/reasons.py, or the rule that holds it
    held_until: datetime | None = None
    error: str | None = None  # the carrier's own code
    detail: str | None = None  # our own words, where no carrier decided
    connector: str | None = None
    sandbox: bool = False
    client_ref: str | None = None
    batch_id: int | None = None
    campaign_id: str | None = None
    variant: str | None = None
    tags: tuple[str, ...] = ()
    created_at: datetime
    updated_at: datetime | None = None
    send_at: datetime | None = None
    expires_at: datetime | None = None


class TimelineEvent(msgspec.Struct):
    """One thing that happened to a message. `detail` holds no telephone number."""

    at: datetime
    kind: str
    detail: Mapping[str, object]


class TimelinePage(msgspec.Struct, frozen=True):
    """Which part of a timeline: behind the click `after`, with at most so many clicks."""

    clicks_max: int
    after: int | None = None


class Timeline(msgspec.Struct, frozen=True):
    """A page of events in order of time. `more_after`: the last click, if there are more."""

    events: Sequence[TimelineEvent]
    more_after: int | None = None


class PolicyDecision(msgspec.Struct, omit_defaults=True):
    """What a rule would do with a message; `status` is what the message would have then: `held` or
    `scheduled` until a moment, or an end such as `capped`.
    """

    rule: str
    status: StatusName
    reason: ReasonName | None = None
    until: datetime | None = None


class PolicyPreview(Protocol):
    """The verdicts that the rules of accept would give, without any of them being stored."""

    async def decisions(self, items: Sequence[Prepared]) -> list[list[PolicyDecision]]:
        """For each message what the rules would decide; empty: it goes. Raises StorageDown."""


class RouteView(msgspec.Struct):
    """Which connector a message would take, why, and which ones would be tried after it."""

    connector: str | None
    reason: str
    then: tuple[str, ...] = ()


class MessageFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages a list holds: those created in [since, until) of which all this is true."""

    since: datetime
    until: datetime
    to: str | None = None  # E.164 with +
    status: str | None = None  # label of dlr/status.py
    client_ref: str | None = None
    batch_id: int | None = None
    campaign_id: str | None = None
    tag: str | None = None


class MessagePage(msgspec.Struct, frozen=True):
    """Messages, newest first. `stopped_at`: the id below which there may be more; None at the end.

    It may hold fewer than were asked for and not be the last: what one page looks through is
    bounded.
    """

    messages: Sequence[MessageView]
    stopped_at: int | None


class MessageReader(Protocol):
    """What became of messages. Another account's message does not exist."""

    async def message(self, account: int, message_id: int) -> MessageView | None:
        """Raises StorageDown."""

    async def listed(
        self, account: int, wanted: MessageFilter, below: int | None, limit: int
    ) -> MessagePage:
        """Newest first, those with an id below `below`. Raises StorageDown, ReportTooSlow."""

    async def events(self, account: int, message_id: int, page: TimelinePage) -> Timeline | None:
        """In order of time; None if there is no such message. Raises StorageDown."""


class Resolution(msgspec.Struct, frozen=True):
    """What became of one message in doubt: resent or dropped; or nothing, and why: not_found,
    not_unconfirmed, expired.
    """

    id: int
    result: str


class DoubtResolver(Protocol):
    """Messages of which nobody knows whether they were sent."""

    async def resolve(
        self, account: int, key_id: int, action: str, message_ids: Sequence[int]
    ) -> list[Resolution]:
        """`action` is resend or drop. One answer for each different id. Raises StorageDown."""


class RequestMemory(Protocol):
    """The requests with an Idempotency-Key, and what was answered to them."""

    def running(self, key: RequestKey) -> AbstractContextManager[None]:
        """While the request is answered. Raises InProgress if it is already."""

    async def claim(self, key: RequestKey, fingerprint: bytes, count: int) -> Claimed | KeptAnswer:
        """Ids for the request, or its answer. Raises InProgress, OtherBody, StorageDown,
        Overloaded.
        """

    async def keep(self, key: RequestKey, answer: KeptAnswer) -> None:
        """The answer to what was claimed."""


class ConnectorState(msgspec.Struct, kw_only=True):
    """What every account may know of a connector."""

    name: str
    kind: str
    up: bool


class ConnectorView(ConnectorState, kw_only=True):
    """A connector as it runs in this process: the operator's view."""

    reason: str | None  # why it is not up
    binds: int
    binds_up: int
    window: int
    in_flight: int
    queued: int  # messages in its ready queue
    rate: str | None  # in force now, after throttling
    rate_max: str | None = None  # the contract, as configured or as set at run time
    paused: bool = False  # by an operator
    withheld: tuple[str, ...] = ()  # why nothing is written although binds may be up
    code_table: str = "none"  # from here to receipt_time_zone as configured
    codes: Mapping[str, str] = {}
    keep_raw: str = "unclear"
    receipt_states: Mapping[str, str] = {}
    receipts_per: str = "part"
    receipt_time_zone: str = "UTC"
    receipt_states_unknown: Mapping[str, int] = {}  # words that came and mean nothing here, counted
    bind: str = "transceiver"  # a receiver sends nothing
    hints: tuple[str, ...] = ()  # settings that the carrier has refused since they were read


class Reloaded(msgspec.Struct, kw_only=True):
    """What reading the configuration again has changed: connectors by name. Those in `rebinding`
    and `removed` finish what is in flight first.
    """

    added: list[str]
    removed: list[str]
    adjusted: list[str]  # without touching a bind
    rebinding: list[str]
    restart_needed: list[str]  # changed keys that are read at the start only


class ReloadBusy(Exception):
    """An earlier reload is not finished."""


class ConnectorUnknown(Exception):
    """No connector has this name."""


class Operations(Protocol):
    """What an operator may do to this process."""

    async def reload(self, *, allow_removals: bool = False) -> Reloaded:
        """Raises ConfigError, ReloadBusy, StorageDown, with nothing changed."""

    def change_connector(
        self, name: str, rate: RateSpec | bool | None, paused: bool | None
    ) -> None:
        """`rate` None: as configured; False: leave it. `paused` None: leave it. Raises
        ConnectorUnknown.
        """


class Component(msgspec.Struct):
    """A part of readiness. A reason when not ok. Not `required`: its fault is shown, and the
    process is ready all the same.
    """

    name: str
    ok: bool
    reason: str | None = None
    required: bool = True


class Readiness(Protocol):
    """Whether this process can take messages now."""

    async def check(self) -> list[Component]:
        """Every component, each within a second or two; never raises."""


class Sample(msgspec.Struct, frozen=True):
    """One value of a metric in the catalogue; labels in its order."""

    name: str
    value: float
    labels: tuple[str, ...] = ()


class HistogramSample(msgspec.Struct, frozen=True):
    """One histogram: cumulative counts by upper bound (the last is +Inf) and the sum."""

    name: str
    buckets: Sequence[tuple[float, int]]
    total: float
    labels: tuple[str, ...] = ()


Snapshot = Callable[[], Iterable[Sample | HistogramSample]]


class StoredKey(msgspec.Struct, frozen=True):
    """An API key. `lasts_seconds`: how long it still works; None: it does not expire. `ended`:
    `revoked` or `expired`, for a key that is good for nothing any more.
    """

    id: int
    account: int
    scopes: frozenset[str]
    lasts_seconds: float | None = None
    ended: str | None = None


class KeyStore(Protocol):
    """Where API keys are kept."""

    async def find(self, key_hash: bytes) -> StoredKey | None:
        """The key with this SHA-256, also one that has ended. Raises StorageDown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything the handlers reach. `accounts` by the id of table `account`."""

    accepter: Accepter
    idempotency: RequestMemory
    doubts: DoubtResolver
    validator: Validator
    accounts: Mapping[int, AccountPolicy]
    policy_preview: PolicyPreview
    explain_route: Callable[[Prepared, str], RouteView]
    messages: MessageReader
    recipients: Recipients
    consents: ConsentLedger
    control: MessageControl
    queues: QueueReader
    reports: Reporter
    connectors: Callable[[], Sequence[ConnectorView]]
    operations: Operations
    readiness: Readiness
    snapshot: Snapshot
    keys: KeyStore
    reveals: RevealLog
    raw_deliveries: RawDeliveries
    limits: RequestLimits
    cursors: Cursors
    new_batch_id: Callable[[], int]
    wall_ms: Callable[[], int]
    monotonic: Callable[[], float]
