"""The composition root: builds the running gateway, in order, and takes it down again.

Owns start, drain and stop. The only module that knows every room; nothing imports it but the
command line.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path

import structlog

from dispatch.answers.doubt import OutcomePolicy
from dispatch.answers.recorder import Recorder
from dispatch.clock import Clock
from dispatch.dispatcher import Dispatcher
from dispatch.inbound.service import InboundService
from dispatch.outbox.handover import Detours
from dispatch.outbox.recovery import Recovered, recover
from dispatch.outbox.stops import lift_stops
from dispatch.routes.routing import RouteTable, routes_of
from dispatch.wire.intents import IntentWriter
from gateway.config import Config
from gateway.descriptors import fitted
from gateway.listening import authority
from gateway.maintenance import Maintenance, today
from gateway.reload import Reloader
from gateway.stopping import Stopping
from gateway.wiring import connectors, desks, inbound, sending
from gateway.wiring.rules import Rules, build_rules
from gateway.wiring.sandbox import Sandbox
from gateway.wiring.web import account_policies, services
from messages.accept.accepter import MessageAccepter
from messages.accept.idempotency import Idempotency
from messages.accept.pacing import Pacing
from messages.accept.shedding import SheddingAccepter
from messages.control.service import Control
from messages.models import AccountPolicy
from recipients.consent_desk import ConsentDesk
from recipients.suppression_desk import RecipientDesk
from shortlinks.service import LinkService
from storage import sql
from storage.crypto import NumberVault, check_fingerprint
from storage.faults import DatabaseDown
from storage.ids import IdSource
from storage.keys import load_keys
from storage.migrate import migrate
from storage.names import Registry, register
from storage.partitions import ensure_partitions
from storage.pool import Connection, Database
from storage.retention import Retention
from storage.terms import HostIdentity, OwnerTerm
from web.edge.key_store import DatabaseKeys
from web.edge.reveal_log import AuditedReveals
from web.server import HttpServer, create_app
from web.services import Services

_SQL = sql.load("gateway")
_log = structlog.get_logger(__name__)

RECORDS_WAITING_MAX = 400_000  # results are bounded by the windows, receipts by their own setting
HTTP_GRACE_SECONDS = 10.0
STORING_SECONDS = 5.0  # of a stop, beside the time for submits in flight


def wall_ms() -> int:
    """Milliseconds since the epoch: the clock of ids and of everything stored."""
    return time.time_ns() // 1_000_000


def progress(line: str) -> None:
    """What the database says while starting takes long."""
    _log.info("database", progress=line)


class Gateway:
    """One running gateway process."""

    def __init__(
        self,
        config: Config,
        *,
        environ: Mapping[str, str] | None = None,
        read: Callable[[], Config] | None = None,
    ) -> None:
        """`read` reads the configuration again, for a reload; None: it does not change."""
        self.config = config
        self.reloader = Reloader(self, read or (lambda: config))
        self.environ = os.environ if environ is None else environ
        self.data_dir = Path(config.database.data_dir)
        self.clock = Clock(wall_ms=wall_ms, monotonic_ns=time.monotonic_ns)
        self.policy = OutcomePolicy.of(config.doubt)
        self.draining = False
        self.stopping = Stopping()
        self.down: set[str] = set()  # connectors without a bind to write to
        self.recovered = Recovered()
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.api_url = ""
        self.database: Database
        self.vault: NumberVault
        self.term: OwnerTerm
        self.ids: IdSource
        self.registry: Registry
        self.rules: Rules
        self.accounts: dict[int, AccountPolicy]
        self.wiring: connectors.Wiring
        self.routes: RouteTable
        self.pacing: Pacing
        self.control: Control
        self.dispatcher: Dispatcher
        self.inbound: InboundService
        self.recipients: RecipientDesk
        self.consents: ConsentDesk
        self.reveals: AuditedReveals
        self.accepter: MessageAccepter
        self.idempotency: Idempotency
        self.links: LinkService
        self.maintenance: Maintenance
        self.retention: Retention
        self.key_store: DatabaseKeys
        self.edge: Services
        self.sandbox = Sandbox(config.accounts, self.task_ended)
        self._started: list[str] = []
        self._http: HttpServer | None = None

    @property
    def links_url(self) -> str:
        """Where the redirect server listens."""
        return self.links.url

    async def start(self) -> None:
        """Database, recovery, connectors, links, HTTP: nothing is accepted that could not be kept.

        Raises what the command line turns into one clear line: EmbeddedError, DatabaseDown,
        MigrationError, KeyMismatch, OSError of a port in use. Call stop() in any case.
        """
        database = self.config.database
        self.keys = load_keys(self.data_dir, self.environ)
        self.vault = NumberVault(self.keys)
        self.database = await Database.open(
            str(database.url),
            self.data_dir,
            application_name="smsgate",
            read_connections=database.read_connections,
            on_progress=progress,
        )
        self._started.append("database")
        setup = self.database.dedicated("setup")
        await self._prepare(await setup.connection())
        self._build_inbound()
        self.control = Control(self.database, ids=self.ids, clock=self.clock, ended=self.task_ended)
        self._build_dispatch()
        self._build_maintenance()
        self._started.append("inbound")
        await self.inbound.start(await setup.connection())
        await setup.close()
        self.links = LinkService(
            fitted(self.config).links,
            self.database,
            data_dir=self.data_dir,
            keys=self.keys,
            ids=self.ids,
            node=self.term.node,
        )
        self._started.append("links")
        await self.links.start()
        self._build_accepter()
        await self._start_sending()
        self._started.append("http")
        await self._listen()

    async def _prepare(self, connection: Connection) -> None:
        """Schema, key, our term, and what dead processes left: before anything else touches
        the database.
        """
        await migrate(connection)
        await check_fingerprint(connection, self.vault)
        await ensure_partitions(connection, today())
        self.host = HostIdentity.current()
        self.term = await OwnerTerm.acquire(connection, self.host)
        self._started.append("term")
        self.database.use_term(self.term.term)
        highest = await connection.fetchval(_SQL["highest_id"])
        self.ids = IdSource(self.term.node, wall_ms, above=highest or 0)
        self.registry = await register(
            connection,
            [account.name for account in self.config.accounts],
            [connector.name for connector in self.config.connectors],
        )
        self.rules = build_rules(self.config, self.registry.accounts, wall_ms)
        await lift_stops(connection)  # they may have been configured away meanwhile
        self.accounts = account_policies(self.config, self.registry)
        await self._recover(connection)

    async def _recover(self, connection: Connection) -> None:
        found = await recover(
            connection, self.host, own_term=self.term.term, ids=self.ids, policy=self.policy
        )
        self.recovered.add(found)
        await self.sandbox.look(connection)

    def _build_inbound(self) -> None:
        self.inbound = inbound.build(
            self.config,
            self.database,
            self.registry,
            vault=self.vault,
            ids=self.ids,
            term=self.term.term,
            clock=self.clock,
            ended=self.task_ended,
        )
        self.consents, self.recipients, self.reveals = desks.build(self)

    def _build_dispatch(self) -> None:
        self.routes = RouteTable(routes_of(self.config.routes), self.registry.connectors, self.down)
        detours = Detours(self.routes, self.registry.account_name)
        settings = (*self.config.connectors, self.sandbox.settings)
        recorder = Recorder(
            self.database.dedicated("record"),
            ids=self.ids,
            term=self.term.term,
            waiting_max=RECORDS_WAITING_MAX,
            receipts_waiting_max=self.config.limits.receipts_waiting_max,
            committed=self._recorded,
            groups=connectors.groups_of(settings, self.registry.connectors),
            codes=connectors.codes_of(settings, self.registry.connectors),
            alone=lambda: self.maintenance.gateways == 1,
            vault=self.vault,
        )
        self.pacing = sending.pacing(self)
        intents = IntentWriter(
            self.database.dedicated("intent"),
            term=self.term.term,
            looks=sending.looks(self),
        )
        self.wiring = connectors.Wiring(
            ids=self.ids,
            intents=intents,
            recorder=recorder,
            inbound=self.inbound,
            clock=self.clock,
            limits=self.config.limits,
            policy=self.policy,
            elsewhere=detours.of,
            batches=self.control.batches,
            down=self.down,
        )
        built = connectors.build_all(settings, self.registry.connectors, self.wiring)
        refiller = sending.refiller(self, built, time.monotonic)
        self.dispatcher = Dispatcher(
            built,
            intents=intents,
            recorder=recorder,
            refiller=refiller,
            handover=sending.handover(self, built, detours, refiller, time.monotonic),
            querying=sending.querying(self, built),
            term=self.term.term,
            sandbox=self.sandbox.wake,
        )

    def _build_maintenance(self) -> None:
        self.retention = Retention(self.config.retention, self.clock.wall_ms)
        self.key_store = DatabaseKeys(self.database.read, self.clock.wall_ms)
        self.maintenance = Maintenance(
            self.database.dedicated("renew"),
            self.database.dedicated("maintenance"),
            term=self.term,
            ids=self.ids,
            unknown_after_hours=self.config.limits.unknown_after_hours,
            recover=self._recover,
            retain=self.retention.turn,
            key_uses=self.key_store.store_uses,
            lost=self._lost,
            ended=self.task_ended,
            groups=self.dispatcher.recorder.groups,
            codes=self.dispatcher.recorder.codes,
            vault=self.vault,
        )

    def _build_accepter(self) -> None:
        self.accepter = MessageAccepter(
            [self.database.dedicated("accept-otp"), self.database.dedicated("accept")],
            vault=self.vault,
            ids=self.ids,
            term=self.term.term,
            ready=self.dispatcher,
            pace=self.pacing,
            clock=self.clock,
            links=self.links.sequence,
            codes=self.links.codes,
            link_base_url=str(self.config.links.base_url),
            link_lifetime=timedelta(days=self.config.links.lifetime_days),
            waiting_max=self.config.accept.waiting_max,
            checks=self.rules.checks,
        )
        self.idempotency = Idempotency(
            self.database.dedicated("idempotency"), ids=self.ids, term=self.term.term
        )
        _, lane = self.accepter.lanes
        self.shedding = SheddingAccepter(
            self.accepter,
            lambda: lane.waiting,
            waiting_max=self.config.accept.waiting_max,
            above_percent=self.config.accept.shed_above_percent,
        )

    async def _start_sending(self) -> None:
        self._started.append("sending")
        await self.control.start(self.dispatcher)
        self.maintenance.start()
        self.dispatcher.start()
        numbers, dispatches = self.registry.connectors, self.dispatcher.connectors
        for settings in self.config.connectors:
            connectors.start(dispatches[numbers[settings.name]], settings)
        self.sandbox.start(dispatches)

    async def _listen(self) -> None:
        http = fitted(self.config).http
        edge = self.edge = services(self)
        self.inbound.confirmations.connect(edge.accepter, edge.validator, edge.accounts)
        application = create_app(edge, http)
        self._http = HttpServer(application, http, drain_seconds=HTTP_GRACE_SECONDS)
        host, port = await self._http.start()
        self.api_url = f"http://{authority(host, port)}"

    async def stop(self) -> None:
        """Stop accepting, finish the windows, unbind, store what came back, let go of everything.

        Takes down what start() got up, also after a start that failed half-way. `drain_seconds`
        after it began, or once stopping.hurry() is called, what is left is cut short.
        """
        self.draining = True
        steps: dict[str, Callable[[], Awaitable[None]]] = {
            "http": self._stop_http,
            "sending": self._stop_sending,
            "inbound": self._stop_inbound,
            "links": lambda: self.links.stop(),
            "term": self._release_term,
            "database": lambda: self.database.close(),
        }
        started = {name: step for name, step in steps.items() if name in self._started}
        await self.stopping.run(started, self.config.limits.drain_seconds + STORING_SECONDS)

    async def _stop_http(self) -> None:
        if self._http is not None:
            await self._http.stop()

    async def _stop_sending(self) -> None:
        await self.reloader.stop()
        await self.accepter.close()
        await self.idempotency.close()
        await self.control.stop()
        await self.dispatcher.stop(self.config.limits.drain_seconds)
        await self.sandbox.stop()
        await self.maintenance.stop()

    async def _stop_inbound(self) -> None:
        await self.recipients.close()
        await self.consents.close()
        await self.reveals.close()
        await self.inbound.stop()

    async def _release_term(self) -> None:
        """What we still hold in memory is free for the next process at once.

        Without a database the next process finds out by itself that we are gone.
        """
        if self.lost.done():
            return
        try:
            connection = await self.database.dedicated("release").connection()
            if "sending" in self._started:
                await self.dispatcher.give_back(connection)
                await self.key_store.store_uses(connection)
            await self.term.release(connection)
        except DatabaseDown as error:
            _log.warning("term_not_released", error=str(error))

    def _lost(self, why: str) -> None:
        if not self.lost.done():
            self.lost.set_result(why)

    def task_ended(self, task: asyncio.Task[None]) -> None:
        """A background task that ends by itself has met a defect: better to start again than to go
        on without it.
        """
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.error("task_failed", task=task.get_name(), error=repr(error), exc_info=error)
            self._lost(f"{task.get_name()} failed: {error!r}")

    def _recorded(self) -> None:
        for dispatch in self.dispatcher.connectors.values():
            dispatch.recorded()
