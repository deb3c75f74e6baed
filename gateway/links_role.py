"""A process that redirects short links and does nothing else: `smsgate serve --role links`.

Owns its start and stop, and its lease. Must not accept, send or keep house: a whole gateway beside
it does. Many of them may share a database.

It goes on while the database is away. So its sessions carry no term that others could fence: what
it writes is safe without. When its lease ended meanwhile it takes another one, and with it another
node for its ids.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import structlog

from dispatch.clock import Clock
from gateway.config import Config
from gateway.links_status import StatusServer
from gateway.listening import authority
from gateway.rooms import Rooms
from gateway.stopping import Stopping
from gateway.vitals import Lease, LoopLag
from gateway.wiring import conversions, inbound, redirects, webhooks
from gateway.wiring.accounts import registered
from gateway.wiring.routes import outcome_policy
from gateway.wiring.sandbox import Sandbox
from storage import sql
from storage.database_clock import DatabaseClock
from storage.faults import UNAVAILABLE
from storage.ids import IdSource
from storage.key_rotation import open_vault
from storage.keys import load_keys, load_next
from storage.migrate import migrate
from storage.partitions import ensure_partitions
from storage.periodic import PeriodicTask
from storage.pool import Connection, Database
from storage.restoring import NotAccepted, refuse_unfinished, unaccepted
from storage.terms import RENEW_SECONDS, TTL_SECONDS, HostIdentity, OwnerTerm, TermLost

STOP_SECONDS = 15.0

_SQL = sql.load("gateway")
_log = structlog.get_logger(__name__)


class LinksGateway:
    """One process of this role."""

    def __init__(self, config: Config, *, environ: Mapping[str, str] | None = None) -> None:
        self.rooms = Rooms(
            config=config,
            clock=Clock(wall_ms=_wall_ms, monotonic_ns=time.monotonic_ns, database_ms=_wall_ms),
            database_clock=DatabaseClock(_wall_ms, time.monotonic_ns),
            policy=outcome_policy(config.doubt),
            sandbox=Sandbox(config.accounts, self._task_ended),
            task_ended=self._task_ended,
        )
        self.environ = os.environ if environ is None else environ
        self.stopping = Stopping()
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.links_url = ""
        self.status_url = ""
        self.lease: Lease
        self._host = HostIdentity.current()
        self._started: list[str] = []
        self._renewal = PeriodicTask(
            "renew", self._renew, lambda: RENEW_SECONDS, ended=self._task_ended, pause_first=True
        )
        self._status: StatusServer

    @property
    def where(self) -> str:
        """Where it listens, as the command prints it."""
        return f"links {self.links_url} status {self.status_url}"

    def reload(self, ended: Callable[[], None]) -> None:
        """The configuration changed: of this role nothing follows that but a start."""
        _log.warning("reload_ignored", role="links", hint="restart this process")
        ended()

    async def start(self) -> None:
        """Know keys, accounts and who wants to hear of clicks, then listen.

        Raises as Gateway.start() does. Call stop() in any case.
        """
        rooms, database = self.rooms, self.rooms.config.database
        data_dir = Path(database.data_dir)
        rooms.keys = load_keys(data_dir, self.environ)
        rooms.database = await Database.open(
            str(database.url),
            data_dir,
            application_name="smsgate:links",
            read_connections=database.read_connections,
            on_progress=lambda line: _log.info("database", progress=line),
        )
        self._started.append("database")
        setup = rooms.database.dedicated("setup")
        connection = await setup.connection()
        await self._prepare(connection)
        rooms.inbound = inbound.build(rooms, self._task_ended)
        rooms.opt_out_pages = inbound.build_pages(rooms)
        webhooks.build(rooms)
        self._started.append("webhooks")
        await rooms.webhooks.subscriptions.start(connection)
        await setup.close()
        self._renewing = rooms.database.dedicated("renew")
        await self._listen()

    async def _prepare(self, connection: Connection) -> None:
        rooms = self.rooms
        await refuse_unfinished(connection)
        await migrate(connection)
        if await unaccepted(connection) is not None:
            raise NotAccepted(
                "this database was made from a backup: start a whole gateway on it first"
            )
        rooms.vault, rooms.keys = await open_vault(
            connection, rooms.keys, load_next(Path(rooms.config.database.data_dir), self.environ)
        )
        await ensure_partitions(connection, datetime.now(UTC).date())
        rooms.term = await OwnerTerm.acquire(connection, self._host)
        self.lease = Lease(TTL_SECONDS, time.monotonic)
        self._started.append("term")
        highest = await connection.fetchval(_SQL["highest_id"])
        rooms.ids = IdSource(rooms.term.node, _wall_ms, above=highest or 0)
        rooms.registry = await registered(connection, rooms.config)

    async def _listen(self) -> None:
        rooms = self.rooms
        settings = rooms.config.links
        rooms.loop_lag = LoopLag(time.monotonic)
        redirects.build(rooms)
        rooms.conversions = conversions.build(rooms)
        rooms.links.take_visits(rooms.conversions)
        self._started.append("links")
        self._renewal.start()
        rooms.loop_lag.start()
        where = await rooms.links.start(settings.listen.host, settings.listen.port)
        self.links_url = f"http://{authority(*where)}"
        self._status = StatusServer(rooms, self.lease)
        self._started.append("status")
        place = await self._status.start(settings.status_listen.host, settings.status_listen.port)
        self.status_url = f"http://{authority(*place)}"

    async def stop(self) -> None:
        """Stop listening, load the clicks that are written down, let go of everything."""
        rooms = self.rooms
        rooms.draining = True
        steps: dict[str, Callable[[], Awaitable[None]]] = {
            "status": lambda: self._status.stop(),
            "links": self._stop_links,
            "webhooks": self._stop_webhooks,
            "term": self._release,
            "database": lambda: rooms.database.close(),
        }
        started = {name: step for name, step in steps.items() if name in self._started}
        await self.stopping.run(started, STOP_SECONDS)

    async def _stop_links(self) -> None:
        self.rooms.loop_lag.stop()
        await self._renewal.stop()
        await self.rooms.conversions.close()
        await self.rooms.links.stop()
        await self.rooms.opt_out_pages.close()

    async def _stop_webhooks(self) -> None:
        await self.rooms.webhooks.subscriptions.stop()
        await self.rooms.webhooks.client.close()

    async def _release(self) -> None:
        try:
            await self.rooms.term.release(
                await self.rooms.database.dedicated("release").connection()
            )
        except UNAVAILABLE as error:
            _log.warning("term_not_released", error=repr(error))

    async def _renew(self) -> None:
        rooms = self.rooms
        began_at, began = time.monotonic(), datetime.now(UTC)
        try:
            connection = await self._renewing.connection()
            try:
                renewal = await rooms.term.renew(connection)
            except TermLost:
                rooms.term = await OwnerTerm.acquire(connection, self._host)
                rooms.ids.move(rooms.term.node)
                _log.warning("term_taken_again", node=rooms.term.node)
                return
        except UNAVAILABLE:
            self.lease.failed()
            raise
        middle = began + (datetime.now(UTC) - began) / 2
        self.lease.renewed(began_at, (middle - renewal.now).total_seconds())

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.error("task_failed", task=task.get_name(), error=repr(error), exc_info=error)
            if not self.lost.done():
                self.lost.set_result(f"{task.get_name()} failed: {error!r}")


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
