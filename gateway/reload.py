"""The configuration read again while the gateway runs.

Owns what a change does to what is running, and which changes wait for a restart. Must not read
files itself: it is given the reader.

A configuration that is not right changes nothing. Binds of connectors that did not change stay. A
connector whose change is still being carried out refuses further ones until then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING

import msgspec
import structlog

from dispatch.answers.receipt_reading import ReceiptManners
from dispatch.holds import Faster
from dispatch.outbox.stops import hasten, lift_stops
from dispatch.wire.connector_dispatch import ConnectorDispatch
from dispatch.wire.rebinding import rebind, retire
from gateway import live_settings
from gateway.config import Config, ConfigError
from gateway.config.connector_settings import ConnectorSettings
from gateway.wiring import connectors
from gateway.wiring.accounts import registered
from ratelimit.spec import RateSpec
from smpp.bind_pool import BindPool
from smpp.tls import TlsError, client_context
from storage.faults import UNAVAILABLE, Fenced, StorageDown
from storage.pool import Connection
from web.edge.keys import accounts_with_keys
from web.services import ConnectorUnknown, ReloadBusy, Reloaded

if TYPE_CHECKING:
    from gateway.rooms import Rooms

BUSY_SECONDS = 0.5  # until a signal that met an unfinished reload is tried again
FREEING_SECONDS = 1.0  # between attempts to free what waits, while the database is away
LIVE = ("rate", "window", *live_settings.CONNECTOR_KEYS)  # changed without touching a bind
REBOUND = (
    "host", "port", "system_id", "password", "password_file", "system_type", "interface_version",
    "address_range", "bind_ton_npi", "bind", "receiver_host", "receiver_port", "binds", "tls",
    "tls_ca_file", "tls_server_name", "tls_certificate_file", "tls_key_file", "tls_verify",
    "enquire_link_seconds", "response_timeout_seconds", "bind_timeout_seconds",
    "reconnect_seconds_min", "reconnect_seconds_max",
)  # fmt: skip
HOW_TO_REMOVE = (
    "if that is meant: smsgate config reload --allow-removals, or "
    'POST /v1/admin/reload {"allow_removals": true}'
)
_log = structlog.get_logger(__name__)


class ConnectorChanges(msgspec.Struct):
    """What is to be done about each connector, by name."""

    added: list[ConnectorSettings] = msgspec.field(default_factory=list)
    removed: list[str] = msgspec.field(default_factory=list)
    adjusted: list[ConnectorSettings] = msgspec.field(default_factory=list)
    rebound: list[ConnectorSettings] = msgspec.field(default_factory=list)
    restart: list[str] = msgspec.field(default_factory=list)  # keys, with their place
    effective: list[ConnectorSettings] = msgspec.field(default_factory=list)


def connector_changes(
    old: Sequence[ConnectorSettings], new: Sequence[ConnectorSettings]
) -> ConnectorChanges:
    """Pure. A key that has to wait for a restart keeps its old value in `effective`."""
    changes = ConnectorChanges()
    known = {each.name: each for each in old}
    for each in new:
        before = known.pop(each.name, None)
        if before is None:
            changes.added.append(each)
            changes.effective.append(each)
            continue
        changed = [
            key for key in each.__struct_fields__ if getattr(each, key) != getattr(before, key)
        ]
        kept = [key for key in changed if key not in LIVE and key not in REBOUND]
        changes.restart += [f"connectors.{each.name}.{key}" for key in kept]
        each = msgspec.structs.replace(each, **{key: getattr(before, key) for key in kept})
        changes.effective.append(each)
        if any(key in REBOUND for key in changed):
            changes.rebound.append(each)
        elif any(key in LIVE for key in changed):
            changes.adjusted.append(each)
    changes.removed = list(known)
    return changes


async def _refuse_lost_accounts(connection: Connection, old: Config, new: Config) -> None:
    """Raises ConfigError if an account is to go that applications have keys of."""
    gone = {each.name for each in old.accounts} - {each.name for each in new.accounts}
    if gone and (lost := await accounts_with_keys(connection, gone)):
        raise ConfigError(
            f"this would remove the accounts {', '.join(lost)}, which have keys; {HOW_TO_REMOVE}"
        )


def names_of(changes: ConnectorChanges) -> set[str]:
    """Of all connectors about which something is to be done."""
    return {each.name for each in (*changes.added, *changes.adjusted, *changes.rebound)}.union(
        changes.removed
    )


class Reloader:
    """What an operator may change in one running gateway."""

    def __init__(self, rooms: Rooms, read: Callable[[], Config]) -> None:
        self._rooms = rooms
        self._read = read
        self._settling: dict[str, asyncio.Task[None]] = {}  # by connector
        self._faster: list[frozenset[Faster]] = []  # of each reload, to be carried out
        self._freeing: asyncio.Task[None] | None = None
        self._running = False
        self._stopped = False
        self._wanted = False  # by a signal that waits for its turn
        self._signalled: set[asyncio.Task[Reloaded]] = set()  # the loop holds a task weakly

    async def reload(self, *, allow_removals: bool = False) -> Reloaded:
        """Read the configuration and follow it.

        Raises ConfigError, ReloadBusy or StorageDown, with nothing changed. `allow_removals`: also
        one that leaves no connector, or takes away an account that has keys. A file that is being
        written, or that was moved away, looks just like that.
        """
        if self._stopped:
            raise ReloadBusy("the gateway is stopping")
        if self._running:
            raise ReloadBusy("the configuration is being read for another reload")
        self._running = True
        try:
            return await self._reload(allow_removals)
        except ConfigError as error:
            _log.error("reload_refused", error=str(error))
            raise
        finally:
            self._running = False

    def soon(self, ended: Callable[[], None] = lambda: None) -> None:
        """As reload(), for a signal. What is wrong is a log line. `ended` is told when it is over.

        While an earlier reload is still being carried out this one waits, since nobody would ask
        again.
        """
        if not (self._wanted or self._stopped):
            self._wanted = True
            self._settle_quietly(self._reload_when_free(), ended)

    async def _reload_when_free(self) -> Reloaded:
        while True:
            self._wanted = False  # whoever signals from now on may have written something newer
            try:
                return await self.reload()
            except ReloadBusy as error:
                _log.info("reload_waits", reason=str(error))
                self._wanted = True
                await asyncio.sleep(BUSY_SECONDS)

    def change_connector(
        self, name: str, rate: RateSpec | bool | None, paused: bool | None
    ) -> None:
        """Change a connector's rate, or pause it, until the next start. Raises ConnectorUnknown.

        `rate` None: as configured; False: leave it.
        """
        settings = next((each for each in self._rooms.config.connectors if each.name == name), None)
        if settings is None:
            raise ConnectorUnknown(name)
        dispatch = self._dispatch(name)
        if not isinstance(rate, bool):
            configured = None if settings.rate is None else settings.rate.spec
            connectors.set_rate(dispatch, settings, rate or configured, self._rooms.wiring)
        if paused is not None:
            (dispatch.withhold if paused else dispatch.release)(connectors.PAUSED)
        _log.info("connector_changed", connector=name, paused=paused)

    async def stop(self) -> None:
        """Leave what is still being changed: the dispatcher ends all connectors."""
        self._stopped = True
        freeing = [self._freeing] if self._freeing else []
        tasks = [*self._signalled, *self._settling.values(), *freeing]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _reload(self, allow_removals: bool) -> Reloaded:
        rooms = self._rooms
        read = self._read()
        changes = connector_changes(rooms.config.connectors, read.connectors)
        if not allow_removals and rooms.config.connectors and not read.connectors:
            lost = ", ".join(each.name for each in rooms.config.connectors)
            raise ConfigError(f"this would remove every connector ({lost}); {HOW_TO_REMOVE}")
        busy = sorted(names_of(changes) & self._settling.keys())
        if busy:
            raise ReloadBusy(f"changes of the last reload are still being made to {busy[0]}")
        _check_tls((*changes.added, *changes.rebound))
        _take_pair(rooms)
        config, restart = live_settings.effective(rooms.config, read, changes.effective)
        database = rooms.database.dedicated("reload")
        try:
            connection = await database.connection()
            if not allow_removals:
                await _refuse_lost_accounts(connection, rooms.config, config)
            names = await registered(connection, config)
        except UNAVAILABLE as error:
            raise StorageDown() from error
        finally:
            await database.close()
        prepared = live_settings.prepare(rooms, config, names)
        added = {
            names.connectors[each.name]: connectors.build(
                each, names.connectors[each.name], rooms.wiring
            )
            for each in changes.added
        }
        pools = self._pools(changes, {each.name: each for each in added.values()})
        rooms.registry.adopt(names.accounts, names.connectors)
        self._apply(prepared, changes, added, pools)
        done = Reloaded(
            added=[each.name for each in changes.added],
            removed=changes.removed,
            adjusted=[each.name for each in changes.adjusted],
            rebinding=[each.name for each in changes.rebound],
            restart_needed=[*restart, *changes.restart],
        )
        _log.info("reloaded", **msgspec.structs.asdict(done))
        return done

    def _pools(
        self, changes: ConnectorChanges, added: dict[str, ConnectorDispatch]
    ) -> dict[str, BindPool]:
        """New binds, not started."""
        return {
            each.name: connectors.pool(added.get(each.name) or self._dispatch(each.name), each)
            for each in (*changes.added, *changes.rebound)
        }

    def _apply(
        self,
        prepared: live_settings.Following,
        changes: ConnectorChanges,
        added: dict[int, ConnectorDispatch],
        pools: dict[str, BindPool],
    ) -> None:
        """Let all take effect at once, without waiting."""
        rooms = self._rooms
        rooms.dispatcher.connectors.update(added)
        self._faster.append(live_settings.follow(rooms, prepared))
        rooms.dispatcher.handover.routes_changed()
        rooms.dispatcher.refiller.texts_differ = connectors.texts_differ(
            rooms.dispatcher.connectors
        )
        for settings in changes.added:
            self._dispatch(settings.name).start(pools[settings.name])
        for settings in (*changes.adjusted, *changes.rebound):
            self._adjust(settings, prepared.manners[settings.name])
        drain = prepared.config.limits.drain_seconds
        for settings in changes.rebound:
            dispatch = self._dispatch(settings.name)
            self._settle(rebind(dispatch, pools[settings.name], drain), dispatch.name)
        for name in changes.removed:
            self._settle(self._remove(name, drain), name)
        if self._freeing is None:
            self._freeing = asyncio.create_task(self._free(), name="reload freeing")
            self._freeing.add_done_callback(self._freed)

    async def _free(self) -> None:
        """Let go what was stopped or slower, once the database is there."""
        rooms = self._rooms
        while self._faster:
            database = rooms.database.dedicated("freeing")
            try:
                connection = await database.connection()
                await lift_stops(connection, rooms.pacing.stopped_accounts)
                await hasten(connection, list(rooms.dispatcher.connectors), self._faster[0])
                del self._faster[0]
            except Fenced:
                return  # another process has our work; whoever renews the term ends this one
            except UNAVAILABLE as error:
                _log.warning("freeing_waits_for_database", error=repr(error))
                await asyncio.sleep(FREEING_SECONDS)
            finally:
                await database.close()

    def _freed(self, task: asyncio.Task[None]) -> None:
        self._freeing = None
        self._rooms.task_ended(task)

    def _adjust(self, settings: ConnectorSettings, manners: ReceiptManners) -> None:
        dispatch = self._dispatch(settings.name)
        rate = None if settings.rate is None else settings.rate.spec
        connectors.set_rate(dispatch, settings, rate, self._rooms.wiring)
        connectors.follow(dispatch, settings, manners, self._rooms.wiring)
        for bind in () if dispatch.pool is None else dispatch.pool.binds:
            bind.set_window(settings.window)

    async def _remove(self, name: str, drain_seconds: float) -> None:
        number = self._rooms.registry.connectors[name]
        await retire(self._rooms.dispatcher.connectors[number], drain_seconds)
        del self._rooms.dispatcher.connectors[number]

    def _settle(self, work: Coroutine[None, None, None], name: str) -> None:
        task = self._settling[name] = asyncio.create_task(work, name=f"reload {name}")
        task.add_done_callback(lambda _task: self._settling.pop(name))
        task.add_done_callback(self._rooms.task_ended)

    def _settle_quietly(
        self, work: Coroutine[None, None, Reloaded], ended: Callable[[], None]
    ) -> None:
        task = asyncio.create_task(work, name="reload")
        self._signalled.add(task)
        task.add_done_callback(self._signalled.discard)
        task.add_done_callback(_told)
        task.add_done_callback(lambda _task: ended())

    def _dispatch(self, name: str) -> ConnectorDispatch:
        return self._rooms.dispatcher.connectors[self._rooms.registry.connectors[name]]


def _check_tls(settings: Sequence[ConnectorSettings]) -> None:
    """Raises what may still be wrong with a connector, before anything is built."""
    for each in settings:
        tls = connectors.tls_settings(each)
        if tls is not None:
            try:
                client_context(tls)
            except TlsError as error:
                raise ConfigError(f"connectors.{each.name}: {error}") from error


def _take_pair(rooms: Rooms) -> None:
    """The API's certificate as it is in its files now. Raises ConfigError; the old one stays."""
    if rooms.pair is not None:
        try:
            rooms.pair.reload()
        except TlsError as error:
            raise ConfigError(f"http: {error}") from error


def _told(task: asyncio.Task[Reloaded]) -> None:
    """A refusal was logged as such; the rest is said here."""
    error = None if task.cancelled() else task.exception()
    if error is not None and not isinstance(error, ConfigError):
        _log.error("reload_failed", error=repr(error))
