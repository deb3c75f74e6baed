"""The composition root: builds the running gateway, in order, and takes it down again.

Owns start, drain and stop, and the order of both. gateway/wiring makes the parts, gateway/rooms.py
lists them. Must not be imported by anything but the command line.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import structlog

from campaigns.running.redoing import sent_anew
from dispatch.clock import Clock
from dispatch.outbox.recovery import recover
from dispatch.outbox.stops import lift_stops
from gateway.config import Config
from gateway.descriptors import fitted
from gateway.listening import authority
from gateway.reload import Reloader
from gateway.rooms import Rooms
from gateway.stopping import Stopping
from gateway.wiring import (
    accepting,
    campaigns,
    caps,
    connectors,
    conversions,
    desks,
    dispatching,
    inbound,
    maintaining,
    redirects,
    rollups,
    rotating,
    templates,
    webhooks,
)
from gateway.wiring import links as links_wiring
from gateway.wiring.accounts import account_policies, registered
from gateway.wiring.operations import OperationsDoor
from gateway.wiring.routes import outcome_policy
from gateway.wiring.rules import build_rules
from gateway.wiring.sandbox import Sandbox
from gateway.wiring.web import server_pair, server_settings, services, validator
from messages.control.service import Control
from storage import sql
from storage.database_clock import DatabaseClock
from storage.faults import DatabaseDown
from storage.ids import IdSource
from storage.key_rotation import open_vault
from storage.keys import load_keys, load_next
from storage.migrate import migrate
from storage.partitions import ensure_partitions
from storage.pool import Connection, Database
from storage.restoring import NotAccepted, accept, refuse_unfinished, unaccepted
from storage.terms import HostIdentity, OwnerTerm
from web.server import HttpServer, create_app

_SQL = sql.load("gateway")
_log = structlog.get_logger(__name__)

HTTP_GRACE_SECONDS = 10.0
WEBHOOK_GRACE_SECONDS = 3.0  # a request that is cut short is made again, under the same id
STORING_SECONDS = 5.0  # of a stop, beside the time for submits in flight


def wall_ms() -> int:
    """Milliseconds since the epoch: the clock of ids and of everything stored."""
    return time.time_ns() // 1_000_000


def progress(line: str) -> None:
    """Log what the database says while starting takes long."""
    _log.info("database", progress=line)


class Gateway:
    """One running gateway process."""

    def __init__(
        self,
        config: Config,
        *,
        environ: Mapping[str, str] | None = None,
        read: Callable[[], Config] | None = None,
        accept_restored: bool = False,
    ) -> None:
        """`read` reads the configuration again, for a reload. None: it does not change.
        `accept_restored`: go on with a database that was made from a backup.
        """
        database_clock = DatabaseClock(wall_ms, time.monotonic_ns)
        self.rooms = Rooms(
            config=config,
            clock=Clock(
                wall_ms=wall_ms,
                monotonic_ns=time.monotonic_ns,
                database_ms=database_clock.now_ms,
            ),
            database_clock=database_clock,
            policy=outcome_policy(config.doubt),
            sandbox=Sandbox(config.accounts, self.task_ended),
            task_ended=self.task_ended,
        )
        self.reloader = Reloader(self.rooms, read or (lambda: config))
        self.environ = os.environ if environ is None else environ
        self.data_dir = Path(config.database.data_dir)
        self.accept_restored = accept_restored
        self.stopping = Stopping()
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.api_url = ""
        self.links_url = ""  # where the redirect server listens
        self._started: list[str] = []
        self._http: HttpServer | None = None

    @property
    def where(self) -> str:
        """Where it listens, as the command prints it."""
        return f"API {self.api_url} links {self.links_url}"

    def reload(self, ended: Callable[[], None]) -> None:
        """Read the configuration again, soon. `ended` is told when that is over."""
        self.reloader.soon(ended=ended)

    async def start(self) -> None:
        """Start database, recovery, connectors, links, HTTP. Nothing is accepted that could not be
        stored.

        Raises what the command line turns into one clear line: EmbeddedError, DatabaseDown,
        MigrationError, KeyMismatch, OSError of a port in use. Call stop() in any case.
        """
        rooms = self.rooms
        database = rooms.config.database
        rooms.keys = load_keys(self.data_dir, self.environ)
        rooms.database = await Database.open(
            str(database.url),
            self.data_dir,
            application_name="smsgate",
            read_connections=database.read_connections,
            on_progress=progress,
        )
        self._started.append("database")
        setup = rooms.database.dedicated("setup")
        await self._prepare(await setup.connection())
        self._build_inbound()
        rooms.control = Control(
            rooms.database,
            ids=rooms.ids,
            clock=rooms.clock,
            sent_anew=sent_anew,
            ended=self.task_ended,
        )
        webhooks.build(rooms)
        rooms.connector_watch = webhooks.connector_watch(rooms)
        rooms.completion = webhooks.batch_completion(rooms)
        dispatching.build(rooms, time.monotonic)
        rooms.reviewer = redirects.reviewer(rooms)
        maintaining.build(rooms, time.monotonic, take_over=self._recover, lost=self._lost)
        rollups.build(rooms)
        self._started.append("inbound")
        await rooms.inbound.start(await setup.connection())
        self._started.append("webhooks")
        await rooms.webhooks.start(await setup.connection())
        await setup.close()
        await self._start_links()
        accepting.build(rooms)
        await self._start_sending()
        self._started.append("http")
        await self._listen()

    async def _prepare(self, connection: Connection) -> None:
        """Schema, key, our term, and what dead processes left: before anything else touches the
        database.
        """
        rooms = self.rooms
        await refuse_unfinished(connection)
        await migrate(connection)
        await self._accept_restored(connection)
        await rooms.backups.turn(connection, datetime.now(UTC))
        rooms.vault, rooms.keys = await open_vault(
            connection, rooms.keys, load_next(self.data_dir, self.environ)
        )
        await ensure_partitions(connection, datetime.now(UTC).date())
        self.host = HostIdentity.current()
        rooms.term = await OwnerTerm.acquire(connection, self.host)
        self._started.append("term")
        rooms.database.use_term(rooms.term.term)
        rotating.build(rooms, self.environ)
        await rooms.rotation.begin(connection)
        highest = await connection.fetchval(_SQL["highest_id"])
        rooms.ids = IdSource(rooms.term.node, wall_ms, above=highest or 0)
        rooms.registry = await registered(connection, rooms.config)
        rooms.caps = caps.build(rooms)
        await rooms.caps.accounts.read(connection)
        rooms.rules = build_rules(
            rooms.config,
            rooms.registry.accounts,
            wall_ms,
            persons=caps.persons(rooms.caps, rooms.config, rooms.registry.accounts, wall_ms),
        )
        await lift_stops(connection)  # they may have been configured away meanwhile
        rooms.accounts = account_policies(rooms.config, rooms.registry)
        await self._recover(connection)

    async def _accept_restored(self, connection: Connection) -> None:
        """Raises NotAccepted where the database was made from a backup and nobody knows of it."""
        found = await unaccepted(connection)
        if found is None:
            return
        if not self.accept_restored:
            raise NotAccepted(
                f"this database was made from a backup of {found.taken_at:%Y-%m-%d %H:%M} UTC: see "
                "that no gateway runs on the old one, then start once with --accept-restored"
            )
        await accept(connection)
        _log.warning("restoration_accepted", taken_at=found.taken_at.isoformat())

    async def _recover(self, connection: Connection) -> None:
        rooms = self.rooms
        found = await recover(
            connection, self.host, own_term=rooms.term.term, ids=rooms.ids, policy=rooms.policy
        )
        rooms.recovered.add(found)
        await rooms.sandbox.look(connection)

    def _build_inbound(self) -> None:
        rooms = self.rooms
        rooms.inbound = inbound.build(rooms, self.task_ended)
        rooms.opt_out_pages = inbound.build_pages(rooms)
        desks.build(rooms)

    async def _start_links(self) -> None:
        rooms = self.rooms
        redirects.build(rooms)
        rooms.conversions = conversions.build(rooms)
        rooms.links.take_visits(rooms.conversions)
        rooms.public_links = links_wiring.build(rooms)
        rooms.templates = templates.build(rooms)
        self._started.append("links")
        listen = rooms.config.links.listen
        host, port = await rooms.links.start(listen.host, listen.port)
        self.links_url = f"http://{authority(host, port)}"

    async def _start_sending(self) -> None:
        rooms = self.rooms
        self._started.append("sending")
        await rooms.control.start(rooms.dispatcher)
        await rooms.breakers.start()
        rooms.anomalies.start()
        rooms.maintenance.start()
        rooms.loop_lag.start()
        rooms.rollups.start()
        rooms.contact_worker.start()
        rooms.gathering.start()
        rooms.engagement.start()
        rooms.caps.start()
        rooms.dispatcher.start()
        numbers, dispatches = rooms.registry.connectors, rooms.dispatcher.connectors
        for settings in rooms.config.connectors:
            connectors.start(dispatches[numbers[settings.name]], settings)
        rooms.sandbox.start(dispatches)
        rooms.connector_watch.start()
        rooms.completion.start()

    async def _listen(self) -> None:
        rooms = self.rooms
        http = fitted(rooms.config).http
        checks = validator(rooms)
        rooms.campaigns = campaigns.build(rooms, checks, self.task_ended)
        door = OperationsDoor(self.reloader, rooms.database.dedicated("operations"), rooms.ids)
        edge = rooms.edge = services(rooms, door, checks)
        rooms.inbound.connect(
            inbound.ConfirmationSender(edge.accepter, edge.validator, edge.accounts)
        )
        settings = server_settings(http)
        application = create_app(edge, settings)
        rooms.pair = server_pair(http)
        self._http = HttpServer(
            application, settings, drain_seconds=HTTP_GRACE_SECONDS, pair=rooms.pair
        )
        host, port = await self._http.start()
        scheme = "http" if rooms.pair is None else "https"
        self.api_url = f"{scheme}://{authority(host, port)}"
        self._started.append("campaigns")
        rooms.campaigns.start()

    async def stop(self) -> None:
        """Stop accepting, finish the windows, unbind, store what came back, let go of everything.

        Takes down what start() built, also after a start that failed half-way. After
        `drain_seconds`, or once stopping.hurry() is called, what is left is cut short.
        """
        rooms = self.rooms
        rooms.draining = True
        steps: dict[str, Callable[[], Awaitable[None]]] = {
            "http": self._stop_http,
            "campaigns": lambda: rooms.campaigns.stop(),
            "sending": self._stop_sending,
            "inbound": self._stop_inbound,
            "webhooks": lambda: rooms.webhooks.stop(WEBHOOK_GRACE_SECONDS),
            "links": self._stop_links,
            "term": self._release_term,
            "database": lambda: rooms.database.close(),
        }
        started = {name: step for name, step in steps.items() if name in self._started}
        await self.stopping.run(started, rooms.config.limits.drain_seconds + STORING_SECONDS)

    async def _stop_http(self) -> None:
        if self._http is not None:
            await self._http.stop()

    async def _stop_sending(self) -> None:
        rooms = self.rooms
        await self.reloader.stop()
        await rooms.completion.stop()
        await rooms.connector_watch.stop()  # what goes down from here on was taken down
        await rooms.accepter.close()
        await rooms.idempotency.close()
        await rooms.control.stop()
        await rooms.anomalies.stop()
        await rooms.breakers.stop()
        await rooms.dispatcher.stop(rooms.config.limits.drain_seconds)
        await rooms.sandbox.stop()
        rooms.loop_lag.stop()
        await rooms.contact_worker.stop()
        await rooms.gathering.stop()
        await rooms.engagement.stop()
        await rooms.caps.stop()
        await rooms.rollups.stop()
        await rooms.maintenance.stop()

    async def _stop_inbound(self) -> None:
        rooms = self.rooms
        await rooms.suppressions.close()
        await rooms.consents.close()
        await rooms.complaints.close()
        await rooms.segments.close()
        await rooms.reveals.close()
        await rooms.opt_out_pages.close()
        await rooms.inbound.stop()

    async def _stop_links(self) -> None:
        await self.rooms.conversions.close()
        await self.rooms.public_links.close()
        await self.rooms.templates.desk.close()
        await self.rooms.links.stop()

    async def _release_term(self) -> None:
        """Free at once, for the next process, what we still hold in memory.

        Without a database the next process finds out by itself that we are gone.
        """
        rooms = self.rooms
        if self.lost.done():
            return
        try:
            connection = await rooms.database.dedicated("release").connection()
            if "sending" in self._started:
                await rooms.dispatcher.give_back(connection)
                await rooms.key_store.store_uses(connection)
            await rooms.term.release(connection)
        except DatabaseDown as error:
            _log.warning("term_not_released", error=str(error))

    def _lost(self, why: str) -> None:
        if not self.lost.done():
            self.lost.set_result(why)

    def task_ended(self, task: asyncio.Task[None]) -> None:
        """A background task that ends by itself has met a defect. It is better to start again than
        to go on.
        """
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.error("task_failed", task=task.get_name(), error=repr(error), exc_info=error)
            self._lost(f"{task.get_name()} failed: {error!r}")
