"""Webhooks of one process, put together.

Owns the order in which its parts start and stop: who writes changes down, who makes deliveries of
them, who sends them. Must not decide anything itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import structlog

from dlr.webhooks import deliveries
from dlr.webhooks.changes import ChangeLog
from dlr.webhooks.client import WebhookClient
from dlr.webhooks.desk import Tests
from dlr.webhooks.endpoints import SecretBox
from dlr.webhooks.fan_out import FanOut
from dlr.webhooks.results import Results
from dlr.webhooks.subscriptions import Subscriptions
from dlr.webhooks.tidying import Tidying, Waiting
from dlr.webhooks.worker import Clocks, Worker
from storage.crypto import NumberVault
from storage.faults import UNAVAILABLE
from storage.ids import IdSource
from storage.periodic import Ended, PeriodicTask
from storage.pool import Connection, Database

FAN_OUT_SECONDS = 0.1
FAN_OUT_IDLE_SECONDS = 1.0  # while there is nobody to tell

_log = structlog.get_logger(__name__)


class Webhooks:
    """Not yet started."""

    def __init__(
        self,
        database: Database,
        client: WebhookClient,
        *,
        box: SecretBox,
        vault: NumberVault,
        ids: IdSource,
        term: int,
        clocks: Clocks,
        ended: Ended,
    ) -> None:
        """`ended` is told when a background task has ended by itself, which it should not."""
        self.box = box
        self.client = client
        self.waiting = Waiting()
        self.subscriptions = Subscriptions(
            database.dedicated("webhook-look"), box, clocks.monotonic, ended=ended
        )
        self.changes = ChangeLog(ids, self.subscriptions.wanted, self._noted)
        self.fan_out = FanOut(
            database.dedicated("webhook-fan-out"),
            self.subscriptions,
            box=box,
            vault=vault,
            ids=ids,
            now=clocks.now,
            made=self._made,
            waiting=self.waiting.of,
        )
        self.results = Results(
            database.dedicated("webhook-results"),
            term=term,
            ids=ids,
            learn=self.subscriptions.look,
            ended=self.waiting.ended,
        )
        self.worker = Worker(
            database.dedicated("webhook-claims"),
            self.results,
            self.subscriptions,
            client,
            vault=vault,
            ids=ids,
            term=term,
            clocks=clocks,
            ended=ended,
        )
        self.tidying = Tidying(
            database.dedicated("webhook-tidying"),
            self.subscriptions,
            self.waiting,
            ids=ids,
            now=clocks.now,
            freed=self.worker.wake,
            ended=ended,
        )
        self.tests = Tests(database.dedicated("webhook-tests"), client, ids=ids, now=clocks.now)
        self.subscriptions.changed = self.worker.follow
        self._more = False
        self._fanning = PeriodicTask("webhook fan-out", self._fan, self._pause, ended=ended)

    async def start(self, connection: Connection) -> None:
        """Know who wants to hear, take over what dead processes left, begin."""
        await deliveries.take_over(connection)
        await self.subscriptions.start(connection)
        self._fanning.start()
        self.worker.start()
        self.tidying.start()

    async def stop(self, grace_seconds: float) -> None:
        """Let requests end within so long; what waits is sent by the next start, or by others."""
        await self._fanning.stop()
        await self.tidying.stop()
        try:
            await self.worker.stop(grace_seconds)
        except UNAVAILABLE as error:
            _log.warning("webhooks_not_given_back", error=repr(error))
        await self.results.close()
        await self.subscriptions.stop()
        await self.client.close()

    @property
    def skipped(self) -> int:
        """Events that were not told, and can be replayed."""
        return self.fan_out.skipped + self.tidying.skipped

    def trouble(self) -> str | None:
        """Why webhooks do not get on at present; None: they do."""
        if self.results.commits.failure is None:
            return None
        return "attempts cannot be stored: what is under way will be told again"

    def states(self) -> Counter[str]:
        """How many endpoints are in each state."""
        return Counter(each.state.label for each in self.subscriptions.endpoints.values())

    def _noted(self) -> None:
        self._fanning.wake()

    def _made(self, made: Mapping[int, int]) -> None:
        self.waiting.add(made)
        self.worker.wake()

    async def _fan(self) -> None:
        self._more = await self.fan_out.turn() > 0

    def _pause(self) -> float:
        if self._more:
            return 0.0
        return FAN_OUT_SECONDS if self.subscriptions.any else FAN_OUT_IDLE_SECONDS
