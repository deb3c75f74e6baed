"""The sandbox connector: its messages go to a simulated SMSC in this process, and reach nobody.

Owns the connector's settings, the simulator, and when both start. Must not decide which messages go
there: validation does, and nothing moves a message from or to it.

Both start with the first message, so a gateway that never uses the sandbox opens no port for it.
Messages wait in the outbox until the bind is up, like any others.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence

import msgspec
import structlog

from dispatch.wire.connector_dispatch import ConnectorDispatch
from gateway.config.account_settings import AccountSettings
from gateway.config.connector_settings import ConnectorSettings
from gateway.wiring import connectors
from smpp.simulator import Simulator, load_profile
from storage import sql
from storage.names import SANDBOX, SANDBOX_NAME
from storage.pool import Connection

LOOPBACK = "127.0.0.1"
PROFILE = "smooth"
PASSWORD_BYTES = 4  # hex doubles it to 8, the most that SMPP 3.4 allows

_SQL = sql.load("gateway")
_log = structlog.get_logger(__name__)


class Sandbox:
    """The one sandbox of a process."""

    def __init__(
        self, accounts: Sequence[AccountSettings], ended: Callable[[asyncio.Task[None]], object]
    ) -> None:
        """`ended` is told when the task that starts it has ended, for whatever reason."""
        password = secrets.token_hex(PASSWORD_BYTES)  # another program of this host gets no texts
        self.settings = ConnectorSettings(
            name=SANDBOX_NAME,
            host=LOOPBACK,
            system_id=SANDBOX_NAME,
            password=password,
            code_table="map",
            reconnect_seconds_min=0.05,
            reconnect_seconds_max=1.0,
        )
        self._carrier = Simulator(
            load_profile(PROFILE), LOOPBACK, 0, credentials={SANDBOX_NAME: password}
        )
        self._ended = ended
        self._wanted = any(account.sandbox for account in accounts)
        self._dispatch: ConnectorDispatch | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> Sequence[ConnectorSettings]:
        """Its settings once it has started; empty before."""
        return () if self._task is None else (self.settings,)

    def start(self, dispatches: Mapping[int, ConnectorDispatch]) -> None:
        """Allow it to start. It does at once if a message came already."""
        self._dispatch = dispatches[SANDBOX]
        if self._wanted:
            self.wake()

    def wake(self) -> None:
        """A message waits for it: start if that has not happened."""
        self._wanted = True
        if self._dispatch is not None and self._task is None:
            self._task = asyncio.create_task(self._begin(self._dispatch), name=SANDBOX_NAME)
            self._task.add_done_callback(self._ended)

    async def look(self, connection: Connection) -> None:
        """Start if messages wait that another process, or an earlier run, accepted."""
        if not self._wanted and await connection.fetchval(_SQL["sandbox_waits"], SANDBOX):
            self.wake()

    async def stop(self) -> None:
        """Stop the simulator. Its binds were ended with those of the other connectors."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            await self._carrier.stop()

    async def _begin(self, dispatch: ConnectorDispatch) -> None:
        try:
            await self._carrier.start()
        except OSError as error:  # no port: messages wait, and the next one or the next look tries
            _log.error("sandbox_not_started", error=str(error))
            self._wanted, self._task = False, None
            return
        _log.info("sandbox_started", port=self._carrier.port)
        connectors.start(dispatch, msgspec.structs.replace(self.settings, port=self._carrier.port))
