"""What is done about deliveries on the side: counted, taken over, hastened, given up.

Owns the look at what waits, by which the bounds of an endpoint are held and the metrics are told.
Each step is bounded and may be done by several processes at once. Must not send.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import msgspec

from dlr.webhooks import deliveries
from dlr.webhooks.endpoint_state import State
from dlr.webhooks.set_back import due_after_all
from dlr.webhooks.subscriptions import Subscriptions
from storage.ids import IdSource, time_of
from storage.periodic import Ended, PeriodicTask
from storage.pool import Connection, Dedicated

TIDY_SECONDS = 5.0
STEPS_MAX = 20  # of each kind in a turn
COUNTED_QUICKLY = 100_000  # events: 25 ms; what is more is counted in fewer turns


class Waiting(msgspec.Struct):
    """What waits, as of the last look and what is known since."""

    by_endpoint: dict[int, int] = msgspec.field(default_factory=dict)
    oldest: datetime | None = None

    @property
    def events(self) -> int:
        """Of all endpoints."""
        return sum(self.by_endpoint.values())

    def of(self, endpoint_id: int) -> int:
        """Events of this endpoint."""
        return self.by_endpoint.get(endpoint_id, 0)

    def add(self, made: Mapping[int, int]) -> None:
        """So many more."""
        for endpoint_id, count in made.items():
            self.by_endpoint[endpoint_id] = self.of(endpoint_id) + count

    def ended(self, endpoint_id: int, count: int) -> None:
        """So many fewer."""
        left = self.of(endpoint_id) - count
        if left > 0:
            self.by_endpoint[endpoint_id] = left
        else:
            self.by_endpoint.pop(endpoint_id, None)


class Tidying:
    """One process's turns at it."""

    def __init__(
        self,
        dedicated: Dedicated,
        subscriptions: Subscriptions,
        waiting: Waiting,
        *,
        ids: IdSource,
        now: Callable[[], datetime],
        freed: Callable[[], None],
        ended: Ended,
    ) -> None:
        """`freed` is told when deliveries may be claimed: of dead processes, or put off by a clock
        that was set back.
        """
        self._dedicated = dedicated
        self._subscriptions = subscriptions
        self._waiting = waiting
        self._ids = ids
        self._now = now
        self._freed = freed
        self.skipped = 0
        self._turns = 0
        self._turn = asyncio.Lock()  # one connection, so one at a time
        self._task = PeriodicTask("webhook tidying", self.turn, lambda: TIDY_SECONDS, ended=ended)

    def start(self) -> None:
        """Begin."""
        self._task.start()

    async def stop(self) -> None:
        """End."""
        await self._task.stop()

    async def turn(self) -> None:
        """One look, and what follows from it."""
        async with self._turn:
            await self._look()

    async def _look(self) -> None:
        async with self._dedicated.guarded() as connection:
            if await deliveries.take_over(connection):
                self._freed()
            for _ in range(STEPS_MAX):
                if await deliveries.drop_deleted(connection) < deliveries.STEP_ROWS_MAX:
                    break
            self._turns += 1
            if self._turns % (1 + self._waiting.events // COUNTED_QUICKLY):
                return
            await self._hasten(connection)
            backlogs = await deliveries.backlogs(connection)
        self._waiting.by_endpoint = {key: each.events for key, each in backlogs.items()}
        oldest = min((each.oldest_id for each in backlogs.values()), default=None)
        self._waiting.oldest = None if oldest is None else time_of(oldest)
        known = self._subscriptions.endpoints
        for endpoint_id, backlog in backlogs.items():
            endpoint = known.get(endpoint_id)
            if endpoint is None:
                continue
            if endpoint.state is State.DISABLED:
                await self._skip(endpoint_id, None, "the endpoint is disabled")
            elif time_of(backlog.oldest_id) < self._oldest_allowed:
                why = f"it waited for {deliveries.WAITING_DAYS_MAX} days"
                await self._skip(endpoint_id, self._oldest_allowed, why)

    async def _hasten(self, connection: Connection) -> None:
        for _ in range(STEPS_MAX):
            moved = await due_after_all(connection, self._now())
            if moved:
                self._freed()
            if moved < deliveries.STEP_ROWS_MAX:
                return

    @property
    def _oldest_allowed(self) -> datetime:
        return self._now() - timedelta(days=deliveries.WAITING_DAYS_MAX)

    async def _skip(self, endpoint_id: int, before: datetime | None, why: str) -> None:
        for _ in range(STEPS_MAX):
            async with self._dedicated.transaction() as connection:
                skipped = await deliveries.skip(
                    connection, endpoint_id, before=before, why=why, ids=self._ids
                )
            self.skipped += skipped
            self._waiting.ended(endpoint_id, skipped)
            if not skipped:
                return
