"""What the HTTP edge needs from the rest of the gateway: small protocols, and the bag of them.

Owns these protocols, and the shapes that only the edge has. What a package answers with is a shape
of that package. Must not import what implements a protocol: gateway/wiring fills them in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import msgspec

from campaigns.click_desk import ClickReport, ClickWish
from campaigns.funnel_desk import FunnelReport
from dispatch.inbound.reading import InboundFilter, InboundPlace, InboundView
from dlr.report_desk import Asked, Failures, GroupPage, Latencies, Report
from dlr.thresholds import Threshold
from messages.accept.rehearsal import PolicyDecision
from messages.accept.validation import Validator
from messages.control.batches import BatchChange, BatchView
from messages.control.cancel import CancelOutcome
from messages.control.doubts import Resolution
from messages.control.waiting import QueueView
from messages.models import Accepter, AccountPolicy, Prepared
from messages.reading.listing import MessageFilter
from messages.reading.reader import MessagePage, MessageView
from messages.reading.timeline import Timeline, TimelinePage
from ratelimit.spec import RateSpec
from recipients.complaint_desk import ComplaintFilter, ComplaintView, ComplaintWord
from recipients.consent_desk import ConsentView, ConsentWord
from recipients.suppression_desk import (
    Allow,
    Allowed,
    Suppress,
    SuppressionFilter,
    SuppressionPlace,
    SuppressionView,
)
from web.campaign_services import CampaignBook, ExperimentBook
from web.cap_services import CapBook
from web.contact_services import ContactRooms
from web.conversion_services import ConversionBook
from web.edge.cursors import Cursors
from web.edge.idempotent import RequestMemory
from web.edge.keys import KeyStore
from web.edge.request_limits import RequestLimits
from web.edge.reveal_log import RevealLog
from web.link_services import LinkBook
from web.number_services import NumberReader, NumberValidator
from web.operator_services import AnomalyReader, BreakerBook, Operator, RawDeliveries, RouteState
from web.privacy_services import AuditReader, PersonDesk, ProofReader
from web.samples import Snapshot
from web.segment_services import SegmentRooms
from web.suppression_services import SuppressionExports, SuppressionImports
from web.template_services import TemplateServices
from web.webhook_services import WebhookEndpoints


class QueueReader(Protocol):
    """What waits."""

    async def queue(self, account: int) -> QueueView:
        """What waits of an account. Raises StorageDown, ReportTooSlow."""


class MessageControl(Protocol):
    """What may still be done about accepted messages."""

    async def batch(self, account: int, batch_id: int) -> BatchView | None:
        """A batch with its counts. Raises StorageDown, ReportTooSlow."""

    async def change_batch(
        self, account: int, batch_id: int, change: BatchChange, *, actor: str
    ) -> BatchView | None:
        """The batch once the change is committed, with its audit row. Raises BatchConflict,
        Overloaded, StorageDown.
        """

    async def cancel(self, account: int, message_id: int, *, actor: str) -> CancelOutcome:
        """Whether the message, or what went in its place, was not on the wire and never will be.
        Raises Overloaded, StorageDown.
        """


class FinishReader(Protocol):
    """When what waits is expected to go."""

    async def of_parts(self, parts: Mapping[str, int]) -> datetime | None:
        """If so many parts were accepted now, by connector; None: nobody knows. Raises StorageDown,
        ReportTooSlow.
        """


class PolicyPreview(Protocol):
    """The decisions that the rules of accept would make, with none of them stored."""

    async def decisions(self, items: Sequence[Prepared]) -> list[list[PolicyDecision]]:
        """For each message, what the rules would decide; empty: it goes. Raises StorageDown."""


class RouteView(msgspec.Struct):
    """Which connector a message would take, why, and which ones would be tried after it."""

    connector: str | None
    reason: str
    then: tuple[str, ...] = ()


class MessageReader(Protocol):
    """What became of messages. Another account's message does not exist."""

    async def message(self, account: int, message_id: int) -> MessageView | None:
        """One message; None if there is no such message. Raises StorageDown."""

    async def listed(
        self, account: int, wanted: MessageFilter, below: int | None, limit: int
    ) -> MessagePage:
        """Messages with an id below `below`, newest first. Raises StorageDown, ReportTooSlow."""

    async def events(self, account: int, message_id: int, page: TimelinePage) -> Timeline | None:
        """In order of time; None if there is no such message. Raises StorageDown."""


class DoubtResolver(Protocol):
    """Messages of which nobody knows whether they were sent."""

    async def resolve(
        self, account: int, key_id: int, action: str, message_ids: Sequence[int]
    ) -> list[Resolution]:
        """`action` is resend or drop. One answer for each different id. Raises StorageDown."""


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


class ConfigurationRefused(Exception):
    """The configuration that was read is not right; `faults` names every mistake."""

    def __init__(self, said: str, faults: Sequence[str]) -> None:
        super().__init__(said)
        self.faults = faults


class ReloadBusy(Exception):
    """An earlier reload is not finished."""


class ConnectorUnknown(Exception):
    """No connector has this name."""


class Operations(Protocol):
    """What an operator may do to this process. What is done leaves a row in the audit."""

    async def reload(self, by: Operator, *, allow_removals: bool = False) -> Reloaded:
        """Read the configuration again.

        Raises ConfigurationRefused, ReloadBusy, StorageDown, with nothing changed.
        """

    async def change_connector(
        self, by: Operator, name: str, rate: RateSpec | bool | None, paused: bool | None
    ) -> None:
        """`rate` None: as configured; False: leave it. `paused` None: leave it. Raises
        ConnectorUnknown, Overloaded, StorageDown.
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
        """Every component, each within a second or two. Never raises."""


class ConsentLedger(Protocol):
    """Where consents are kept. Both raise StorageDown."""

    async def record(self, account: int, word: ConsentWord) -> ConsentView:
        """Returns once it is committed. Raises Overloaded."""

    async def entries(
        self, account: int, *, number: str | None, before: int | None, limit: int
    ) -> list[ConsentView]:
        """Entries recorded before an id, the latest first."""


class ComplaintBook(Protocol):
    """Complaints about an account's messages. Both raise StorageDown."""

    async def record(
        self, account: int, actor: str, word: ComplaintWord
    ) -> tuple[ComplaintView, bool]:
        """Committed, in force; and whether it is new. Raises ComplaintRefused, ComplaintConflict,
        Overloaded.
        """

    async def listed(
        self, account: int, wanted: ComplaintFilter, *, before: int | None, limit: int
    ) -> list[ComplaintView]:
        """The latest recorded first, before an id."""


class InboundReader(Protocol):
    """Messages from handsets. `accounts` are those that a key may see."""

    async def listed(
        self,
        accounts: Sequence[int],
        wanted: InboundFilter,
        *,
        before: InboundPlace | None,
        limit: int,
    ) -> list[InboundView]:
        """Messages behind a place, newest first. Raises StorageDown."""


class SuppressionList(Protocol):
    """Who must not be texted. Every method raises StorageDown."""

    async def suppressions(
        self,
        accounts: Sequence[int],
        wanted: SuppressionFilter,
        *,
        after: SuppressionPlace | None,
        limit: int,
    ) -> list[SuppressionView]:
        """Entries behind a place, newest first."""

    async def suppress(self, account: int, actor: str, entries: Sequence[Suppress]) -> list[bool]:
        """For each, whether it is new. It is committed and in force then. Raises Overloaded."""

    async def allow(self, accounts: Sequence[int], actor: str, asked: Allow) -> Allowed:
        """Delete the entries of a number. Raises Overloaded."""


class DeliveryReporter(Protocol):
    """Counts over the messages an account created in [since, until)."""

    @property
    def delivery_dimensions(self) -> Sequence[str]:
        """What `group_by` of the delivery report may name."""

    async def delivery(self, asked: Asked, page: GroupPage) -> Report:
        """Counts by outcome. Raises StorageDown, ReportTooSlow, TooManyRows, SpanTooLarge."""

    async def failures(self, asked: Asked) -> Failures:
        """Failures, the most frequent first. Raises as `delivery` does."""

    async def latency(self, asked: Asked) -> Latencies:
        """Seconds that messages took to the carrier, and receipts to us. Raises as `delivery`
        does.
        """


class FunnelReporter(Protocol):
    """From accepted to clicked, over the messages an account created in [since, until)."""

    @property
    def funnel_dimensions(self) -> Sequence[str]:
        """What `group_by` of the funnel report may name."""

    async def funnel(self, asked: Asked, page: GroupPage) -> FunnelReport:
        """Counts from accepted over delivered to clicked by a person. Raises as `delivery` does."""


class ClickReporter(Protocol):
    """What clicks led to, over the messages an account created in [since, until)."""

    @property
    def click_dimensions(self) -> Sequence[str]:
        """What `group_by` of the report of clicks may name."""

    async def clicks(self, asked: Asked, wish: ClickWish, page: GroupPage) -> ClickReport:
        """Visits, conversions, revenue, steps. Raises as `delivery` does."""


class ReplyReporter(Protocol):
    """Replies and complaints about the messages an account created in [since, until)."""

    @property
    def reply_dimensions(self) -> Sequence[str]:
        """What `group_by` of the report on replies may name."""

    async def replies(self, asked: Asked, page: GroupPage) -> Report:
        """By class. Raises as `delivery` does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything the handlers reach. `accounts` by the id of table `account`."""

    accepter: Accepter
    idempotency: RequestMemory
    doubts: DoubtResolver
    validator: Validator
    accounts: Mapping[int, AccountPolicy]
    policy_preview: PolicyPreview
    finish: FinishReader
    explain_route: Callable[[Prepared, str], RouteView]
    messages: MessageReader
    inbound: InboundReader
    suppressions: SuppressionList
    imports: SuppressionImports
    exports: SuppressionExports
    numbers: NumberReader
    number_check: NumberValidator
    consents: ConsentLedger
    complaints: ComplaintBook
    conversions: ConversionBook
    contacts: ContactRooms
    links: LinkBook
    segments: SegmentRooms
    templates: TemplateServices
    campaigns: CampaignBook
    experiments: ExperimentBook
    caps: CapBook
    proofs: ProofReader
    control: MessageControl
    queues: QueueReader
    reports: DeliveryReporter
    funnels: FunnelReporter
    clicks: ClickReporter
    replies: ReplyReporter
    thresholds: Mapping[str, Threshold]
    connectors: Callable[[], Sequence[ConnectorView]]
    routes: Callable[[], Sequence[RouteState]]
    operations: Operations
    readiness: Readiness
    snapshot: Snapshot
    keys: KeyStore
    reveals: RevealLog
    audit: AuditReader
    persons: PersonDesk
    raw_deliveries: RawDeliveries
    breakers: BreakerBook
    anomalies: AnomalyReader
    webhooks: WebhookEndpoints
    limits: RequestLimits
    cursors: Cursors
    new_batch_id: Callable[[], int]
    wall_ms: Callable[[], int]
    monotonic: Callable[[], float]
