"""All connectors of this process, as the accepter and the application see them.

Owns the table from connector id to ConnectorDispatch, and the order in which the sending side
starts and stops. Must not decide anything about a single message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from dispatch.answers.recorder import Recorder
from dispatch.message import ReadyMessage
from dispatch.outbox.handover import Handover
from dispatch.outbox.refill import Refiller
from dispatch.wire.connector_dispatch import ConnectorDispatch
from dispatch.wire.intents import IntentWriter
from dispatch.wire.querying import Querying
from storage import sql
from storage.names import SANDBOX
from storage.pool import Connection

_SQL = sql.load("dispatch")
_log = structlog.get_logger(__name__)
STORE_SECONDS_MIN = 5.0


class Dispatcher:
    """Implements the accepter's ReadyRoom."""

    def __init__(
        self,
        connectors: dict[int, ConnectorDispatch],
        *,
        intents: IntentWriter,
        recorder: Recorder,
        refiller: Refiller,
        handover: Handover,
        querying: Querying,
        term: int,
        sandbox: Callable[[], None] = lambda: None,
    ) -> None:
        """`sandbox` is told that a message waits for it, since it starts with the first."""
        self.connectors = connectors  # changed by a reload, in place: others read it too
        self.intents = intents
        self.recorder = recorder
        self.refiller = refiller
        self.handover = handover
        self.querying = querying
        self._term = term
        self._sandbox = sandbox
        self._stopping = False

    def start(self) -> None:
        """Start the loops: claims, failover and queries."""
        self.refiller.start()
        self.handover.start()
        self.querying.start()

    def reserve(self, connector: int, category: int, parts: int) -> bool:
        dispatch = self.connectors.get(connector)
        if self._stopping or dispatch is None or not dispatch.up:
            return False  # whoever has a bind, now or later, takes it from the outbox
        return dispatch.ready.reserve(parts, category)

    def release(self, connector: int, category: int, parts: int) -> None:
        self.connectors[connector].ready.release(parts)

    def push(self, connector: int, messages: Sequence[ReadyMessage]) -> None:
        self.connectors[connector].push(messages)

    def backlog(self, connector: int, category: int) -> None:
        if connector == SANDBOX:
            self._sandbox()
        self.refiller.backlog(connector, category)

    async def stop(self, drain_seconds: float) -> None:
        """Finish the windows, unbind, and store what came back. What was not written stays in the
        outbox.
        """
        self._stopping = True
        await self.querying.stop()
        await self.handover.stop()
        await self.refiller.stop()
        await asyncio.gather(
            *(dispatch.stop(drain_seconds) for dispatch in self.connectors.values())
        )
        try:
            async with asyncio.timeout(max(drain_seconds, STORE_SECONDS_MIN)):
                await self.intents.close()
                await self.recorder.close()
        except TimeoutError:
            # Their intents stay open: the next start finds them in doubt and says so.
            _log.error("results_not_stored", waiting=self.recorder.commits.waiting)

    async def give_back(self, connection: Connection) -> None:
        """Free what this process holds in memory, so another process or the next start takes it at
        once.
        """
        await connection.execute(_SQL["outbox_unclaim"], self._term)
