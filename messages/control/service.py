"""Control of what waits, as the application runs it and the API asks for it.

Owns the wiring of this package, and what is told of a batch. Must not decide anything itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import asyncpg

from dispatch.clock import Clock
from dispatch.dispatcher import Dispatcher
from dispatch.outbox.batch_feed import BatchFeed
from dispatch.queue.batch_pace import BatchPace
from dispatch.wire.connector_dispatch import ConnectorDispatch
from dlr.report import batch_counts
from messages.control.batches import BatchChange, BatchChanges, BatchView, read_batch
from messages.control.cancel import CancelOutcome, MessageCanceler, SentAnew
from messages.control.finish import batch_finish
from messages.control.look import ControlLook
from messages.control.watch import BatchWatch
from storage.ids import IdSource, time_of
from storage.pool import Database
from storage.reading import ReportTooSlow, reading


class Control:
    """Changes to batches and messages that were accepted, and the watch over the batches."""

    def __init__(
        self,
        database: Database,
        *,
        ids: IdSource,
        clock: Clock,
        sent_anew: SentAnew,
        ended: Callable[[asyncio.Task[None]], object],
    ) -> None:
        """`ended` is told when one of its loops has ended by itself, which it should not."""
        self._database = database
        self._ids = ids
        self._clock = clock
        self._ended = ended
        self._feed: BatchFeed | None = None
        self._watch: BatchWatch | None = None
        self._connectors: Mapping[int, ConnectorDispatch] = {}
        self.batches = BatchPace()
        self.look = ControlLook(clock.wall_ms)
        self.canceler = MessageCanceler(database.dedicated("cancel"), ids, sent_anew=sent_anew)
        self._changes = BatchChanges(database.dedicated("control"), self._changed, ids=ids)

    @property
    def canceled(self) -> int:
        """Messages canceled since start, one by one or with their batch."""
        return self.canceler.canceled + (0 if self._watch is None else self._watch.swept)

    def backlog_age_seconds(self, connector: int, category: int) -> float:
        """How long the oldest of the backlog has waited, as of some seconds ago; 0 when none
        waits.
        """
        oldest = None if self._watch is None else self._watch.oldest.get((connector, category))
        if oldest is None:
            return 0.0
        return max(0.0, self._clock.wall_ms() / 1000 - time_of(oldest).timestamp())

    def paces(self) -> dict[int, float | None]:
        """Parts a second by connector, in this process; 0 where nothing may be written."""
        return {
            number: 0.0 if dispatch.withheld else dispatch.pace.per_second
            for number, dispatch in self._connectors.items()
        }

    async def start(self, dispatcher: Dispatcher) -> None:
        """Learn what is stopped before anything is sent. Then keep watching."""
        self._connectors = dispatcher.connectors
        self._watch = BatchWatch(
            self._database.dedicated("batch-watch"),
            self._database.dedicated("batch-sweep"),
            self.batches,
            connectors=dispatcher.connectors.keys(),
            ids=self._ids,
            monotonic_ns=self._clock.monotonic_ns,
            resumed=dispatcher.refiller.look_again,
            ended=self._ended,
        )
        await self._watch.learn()
        self._watch.start()
        claims = dispatcher.refiller.claims_on(self._database.dedicated("batch-feed"))
        self._feed = BatchFeed(claims, dispatcher.connectors, self.batches, ended=self._ended)
        self._feed.start()

    async def stop(self) -> None:
        """Finish what was asked for."""
        await self.canceler.close()
        for loop in (self._feed, self._watch):
            if loop is not None:
                await loop.stop()

    async def cancel(self, account: int, message_id: int, *, actor: str) -> CancelOutcome:
        return await self.canceler.cancel(account, message_id, actor=actor)

    async def change_batch(
        self, account: int, batch_id: int, change: BatchChange, *, actor: str
    ) -> BatchView | None:
        return await self._changes.change(account, batch_id, change, actor=actor)

    async def batch(self, account: int, batch_id: int) -> BatchView | None:
        try:
            async with (
                reading(self._database.read) as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                view = await read_batch(connection, account, batch_id)
                if view is not None:
                    view.counts = await batch_counts(connection, account, view.id, view.until_id)
                    now = datetime.fromtimestamp(self._clock.wall_ms() / 1000, UTC)
                    view.expected_finish_at = await batch_finish(
                        connection, view, self.paces(), now
                    )
                return view
        except asyncpg.QueryCanceledError as error:
            raise ReportTooSlow(str(error)) from error

    def look_again(self) -> None:
        """Batches were changed by somebody else in this process: learn it now."""
        self._changed()

    def _changed(self) -> None:
        if self._watch is not None:
            self._watch.look()
