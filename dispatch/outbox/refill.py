"""From the outbox back into the ready queues.

Owns the claims for this process: what found no room in a ready queue, what waits for another
attempt, and what a dead process left. Must not send. Reads by cursor, so a claim costs no more with
a backlog of a million than with a thousand.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from operator import attrgetter

from dispatch.outbox.backlog_cursor import BacklogCursor
from dispatch.outbox.claims import Claims
from dispatch.outbox.due_rows import DueRows, NoRates, ReleasePace
from dispatch.outbox.free_rows import FreeRows
from dispatch.queue.batch_pace import BatchPace
from dispatch.wire.connector_dispatch import ConnectorDispatch
from storage.categories import Category
from storage.crypto import NumberVault
from storage.ids import IdSource
from storage.periodic import Ended, PeriodicTask
from storage.pool import Dedicated

CLAIM_ROWS_MAX = 500
DUE_ROWS_MAX = 200  # of each category
SWEEP_SECONDS = 1.0  # between reads from the beginning: ids may be committed out of order
DUE_SECONDS = 0.2  # how late a retry or a paced message may go
ROOM_SECONDS = 0.02  # how soon to look again while a backlog waits for room


class Refiller:
    """One loop for all connectors of this process."""

    def __init__(
        self,
        dedicated: Dedicated,
        connectors: Mapping[int, ConnectorDispatch],
        *,
        batches: BatchPace,
        vault: NumberVault,
        ids: IdSource,
        term: int,
        monotonic: Callable[[], float],
        ended: Ended,
        pace: ReleasePace | None = None,
        texts_differ: bool = False,
    ) -> None:
        """`ended` is told when the loop has ended by itself, which it should not.

        `pace` is the one that accept asks too. `texts_differ`: a connector may make several parts
        of what was one part at accept.
        """
        self._claims = Claims(
            dedicated, vault=vault, ids=ids, term=term, texts_differ=lambda: self.texts_differ
        )
        self._connectors = connectors
        self._batches = batches
        self._monotonic = monotonic
        self._pace = pace or NoRates()
        self._vault = vault
        self._more_due = False  # the last claim was full, or moved what it found
        self.texts_differ = texts_differ
        self._cursor: dict[tuple[int, int], BacklogCursor] = defaultdict(BacklogCursor)
        self._backlog: set[tuple[int, int]] = set()
        self._rewind = False
        self._swept_at = self._due_at = float("-inf")
        self._task = PeriodicTask("refill", self._turn, self._pause_seconds, ended=ended)

    @property
    def claimed(self) -> int:
        """Messages claimed since start."""
        return self._claims.claimed

    def claims_on(self, dedicated: Dedicated) -> Claims:
        """As its own claims, on another database connection."""
        return self._claims.on(dedicated)

    def look_again(self) -> None:
        """Something that was stopped may go on: read the backlog from its beginning, now."""
        self._rewind = True
        self._task.wake()

    def backlog(self, connector: int, category: int) -> None:
        """Note that committed messages of this kind wait in the outbox."""
        self._backlog.add((connector, category))
        self._task.wake()

    def start(self) -> None:
        """Start the loop."""
        self._task.start()

    async def stop(self) -> None:
        """Stop the loop. Nothing is claimed any more."""
        await self._task.stop()

    async def _turn(self) -> None:
        now = self._monotonic()
        if self._rewind or now - self._swept_at >= SWEEP_SECONDS:
            self._rewind, self._swept_at = False, now
            for cursor in self._cursor.values():
                cursor.rewind()
            self._backlog.update(
                (connector, category) for connector in self._connectors for category in Category
            )
        if self._more_due or now - self._due_at >= DUE_SECONDS:
            self._due_at, self._more_due = now, False
            for connector in list(self._connectors):
                await self._claim_due(connector)
        for connector, category in sorted(self._backlog):
            await self._refill(connector, category)

    def _pause_seconds(self) -> float:
        return ROOM_SECONDS if self._backlog or self._more_due else DUE_SECONDS

    async def _claim_due(self, connector: int) -> None:
        """Claim retries, released and paced messages whose time has come, urgent ones first.

        Of each category as many as it has room for, a slice at a time.
        """
        dispatch = self._connectors.get(connector)
        if dispatch is None or not dispatch.up:
            return
        rooms = {int(each): min(DUE_ROWS_MAX, dispatch.ready.room(each)) for each in Category}
        now_ns = int(self._monotonic() * 1e9)
        due = DueRows(
            connector,
            rooms,
            batches=self._batches,
            pace=self._pace,
            vault=self._vault,
            now_ns=now_ns,
        )
        _, claimed = await self._claims.claim(due.find)
        claimed.sort(key=attrgetter("category"))
        self._claims.hand_over(dispatch, claimed)
        self._more_due |= due.moved or len(claimed) >= DUE_ROWS_MAX

    async def _refill(self, connector: int, category: int) -> None:
        """One claim, as large as the free room. A kind that is empty is left out until the next
        sweep.
        """
        key = (connector, category)
        dispatch = self._connectors.get(connector)
        if dispatch is None or not dispatch.up:
            self._backlog.discard(key)
            return
        room = min(CLAIM_ROWS_MAX, dispatch.ready.refill_parts(category))
        if room <= 0:
            return
        cursor = self._cursor[key]
        spans = cursor.spans(self._batches.stepped_over)
        free = FreeRows(connector, category, spans, room, paced=self._pace.active)
        found, messages = await self._claims.claim(free.find)
        self._more_due |= free.moved
        if len(found) < room and not free.moved:
            self._backlog.discard(key)
        if not messages:
            return
        back = self._claims.hand_over(dispatch, messages)
        cursor.advance((row["band"], row["unit"], row["id"]) for row in found[: len(found) - back])
        if back:
            self._backlog.add(key)
