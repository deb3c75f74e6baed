"""The parts of one running gateway, for code that works with several of them.

Owns the list of these parts. Must not do anything itself. app.py builds them, in order, and takes
them down. Nothing below gateway/ may know this module.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from campaigns.caps.room import CapRoom
from campaigns.contacts.files.importing import ImportWorker
from campaigns.events.desk import EventDesk
from campaigns.events.folding import Folding
from campaigns.events.gathering import Gathering
from campaigns.running.room import CampaignRoom
from campaigns.segments.desk import SegmentDesk
from campaigns.segments.previews import Previews
from dispatch.answers.another_way import AnotherWay
from dispatch.answers.doubt import OutcomePolicy
from dispatch.breakers.service import Breakers
from dispatch.clock import Clock
from dispatch.dispatcher import Dispatcher
from dispatch.inbound.page_opt_outs import PageOptOuts
from dispatch.inbound.service import InboundService
from dispatch.outbox.expiry import Expiry
from dispatch.outbox.recovery import Recovered
from dispatch.outbox.withdrawal import Withdrawal
from dispatch.routes.routing import RouteTable
from dispatch.wire.connector_watch import ConnectorWatch
from dlr.anomalies.watch import AnomalyWatch
from dlr.hygiene.lifting import Lifting
from dlr.hygiene.prune import PruneJob
from dlr.parked import ParkedReceipts
from dlr.rollups.service import Rollups
from dlr.silence import Silence
from dlr.webhooks.service import Webhooks
from gateway.config import Config
from gateway.maintenance import Maintenance, PartitionsAhead
from gateway.vitals import LoopLag
from gateway.wiring.connectors import Wiring
from gateway.wiring.message_templates import TemplateRoom
from gateway.wiring.sandbox import Sandbox
from messages.accept.accepter import MessageAccepter
from messages.accept.idempotency import Idempotency
from messages.accept.pacing import Pacing
from messages.accept.shedding import SheddingAccepter
from messages.control.completion import BatchCompletion
from messages.control.service import Control
from messages.models import AccountPolicy
from messages.rules.rules import Rules
from recipients.complaint_desk import ComplaintDesk
from recipients.consent_desk import ConsentDesk
from recipients.erasing import Erasing
from recipients.files.exporting import ExportDesk
from recipients.files.importing import ImportDesk
from recipients.persons import Persons
from recipients.suppression_desk import SuppressionDesk
from shortlinks.conversion_desk import ConversionDesk
from shortlinks.public_desk import LinkDesk
from shortlinks.reclassify import Reviewer
from shortlinks.service import LinkService
from storage.backup import BackupAge
from storage.crypto import NumberVault
from storage.database_clock import DatabaseClock
from storage.ids import IdSource
from storage.key_rotation import KeyRotation
from storage.keys import NumberKeys
from storage.names import Registry
from storage.pool import Database
from storage.retention import Retention
from storage.terms import OwnerTerm
from storage.text_ends import TextEnds
from web.contact_services import ContactRooms
from web.edge.key_store import DatabaseKeys
from web.edge.listener import Listener
from web.edge.reveal_log import AuditedReveals
from web.edge.tls import ServerPair
from web.services import Services


@dataclass
class Rooms:
    """What is known from the beginning. The other parts are there once app.py has built them.

    `config` is the one in force, and `policy` what it says about doubt; a reload replaces both.
    `down`: names of connectors without a bind to write to. `task_ended` is told of every background
    task that ends.
    """

    config: Config
    clock: Clock
    database_clock: DatabaseClock
    policy: OutcomePolicy
    sandbox: Sandbox
    task_ended: Callable[[asyncio.Task[None]], None]
    draining: bool = False
    pair: ServerPair | None = None  # what the API speaks TLS with
    down: set[str] = field(default_factory=set)
    recovered: Recovered = field(default_factory=Recovered)
    backups: BackupAge = field(default_factory=BackupAge)

    database: Database = field(init=False)
    keys: NumberKeys = field(init=False)
    vault: NumberVault = field(init=False)
    term: OwnerTerm = field(init=False)
    rotation: KeyRotation = field(init=False)
    ids: IdSource = field(init=False)
    registry: Registry = field(init=False)
    caps: CapRoom = field(init=False)
    rules: Rules = field(init=False)
    accounts: dict[int, AccountPolicy] = field(init=False)
    wiring: Wiring = field(init=False)
    routes: RouteTable = field(init=False)
    another_way: AnotherWay = field(init=False)
    pacing: Pacing = field(init=False)
    control: Control = field(init=False)
    breakers: Breakers = field(init=False)
    anomalies: AnomalyWatch = field(init=False)
    dispatcher: Dispatcher = field(init=False)
    inbound: InboundService = field(init=False)
    opt_out_pages: PageOptOuts = field(init=False)
    suppressions: SuppressionDesk = field(init=False)
    imports: ImportDesk = field(init=False)
    exports: ExportDesk = field(init=False)
    consents: ConsentDesk = field(init=False)
    complaints: ComplaintDesk = field(init=False)
    reveals: AuditedReveals = field(init=False)
    persons: Persons = field(init=False)
    erasing: Erasing = field(init=False)
    accepter: MessageAccepter = field(init=False)
    idempotency: Idempotency = field(init=False)
    shedding: SheddingAccepter = field(init=False)
    webhooks: Webhooks = field(init=False)
    connector_watch: ConnectorWatch = field(init=False)
    completion: BatchCompletion = field(init=False)
    links: LinkService = field(init=False)
    conversions: ConversionDesk = field(init=False)
    contacts: ContactRooms = field(init=False)
    contact_worker: ImportWorker = field(init=False)
    contact_events: EventDesk = field(init=False)
    gathering: Gathering = field(init=False)
    engagement: Folding = field(init=False)
    segments: SegmentDesk = field(init=False)
    segment_counter: Previews = field(init=False)
    public_links: LinkDesk = field(init=False)
    templates: TemplateRoom = field(init=False)
    campaigns: CampaignRoom = field(init=False)
    links_listener: Listener = field(init=False)
    parked: ParkedReceipts = field(init=False)
    silence: Silence = field(init=False)
    lifting: Lifting = field(init=False)
    prune: PruneJob = field(init=False)
    expiry: Expiry = field(init=False)
    withdrawal: Withdrawal = field(init=False)
    reviewer: Reviewer = field(init=False)
    partitions: PartitionsAhead = field(init=False)
    loop_lag: LoopLag = field(init=False)
    maintenance: Maintenance = field(init=False)
    rollups: Rollups = field(init=False)
    retention: Retention = field(init=False)
    message_texts: TextEnds = field(init=False)
    inbound_texts: TextEnds = field(init=False)
    key_store: DatabaseKeys = field(init=False)
    edge: Services = field(init=False)
