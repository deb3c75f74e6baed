"""Failover: from a connector that is down to the next one of the route that is up.

Owns the move of what waits in the outbox for a connector that cannot send. Each message's route is
decided anew. Must not send.

What may have been sent stays, and what was sent in part (E80). So does what is in memory: a
connector that is down frees that first.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime

import asyncpg
import msgspec
import structlog

from dispatch.outbox.backlog_cursor import BacklogCursor
from dispatch.routes.detours import Detours
from dispatch.wire.connector_dispatch import ConnectorDispatch
from storage import events, sql
from storage.categories import Category
from storage.crypto import NumberVault
from storage.events import Event
from storage.ids import IdSource
from storage.names import NO_CONNECTOR
from storage.periodic import Ended, PeriodicTask
from storage.pool import Dedicated

_SQL = sql.load("dispatch")
_log = structlog.get_logger(__name__)

TURN_SECONDS = 0.5
DOWN_SECONDS = 3.0  # a link lost for a moment keeps its messages
ROWS_MAX = 500  # in one transaction
BATCHES_PER_TURN_MAX = 20  # of one connector and category, so that an OTP waits behind no backlog
SLICE_ITEMS = 200
AGAIN_SECONDS = 60.0  # until what could not be moved is looked at again

_FIRST = datetime.fromtimestamp(0, UTC)


class _Cursors(msgspec.Struct):
    """How far one connector's rows were looked at since something last changed."""

    since: float
    free: dict[int, BacklogCursor] = msgspec.field(
        default_factory=lambda: defaultdict(BacklogCursor)
    )
    due: tuple[datetime, int] = (_FIRST, 0)


class Handover:
    """One loop for all connectors of this process."""

    def __init__(
        self,
        dedicated: Dedicated,
        connectors: Mapping[int, ConnectorDispatch],
        detours: Detours,
        *,
        vault: NumberVault,
        ids: IdSource,
        monotonic: Callable[[], float],
        backlog: Callable[[int, int], None],
        configured_away: Callable[[], Collection[int]] = tuple,
        ended: Ended,
    ) -> None:
        """`configured_away`: connectors that were used once and are configured no more.

        `backlog` is told which connector and category have more to claim.
        """
        self._dedicated = dedicated
        self._connectors = connectors
        self._detours = detours
        self._vault = vault
        self._ids = ids
        self._monotonic = monotonic
        self._backlog = backlog
        self._configured_away = configured_away
        self._down_since: dict[int, float] = {}
        self._cursors: dict[int, _Cursors] = {}
        self._up: frozenset[int] = frozenset()
        self._task = PeriodicTask(
            "handover", self.turn, lambda: TURN_SECONDS, ended=ended, pause_first=True
        )
        self.moved = 0

    def start(self) -> None:
        """Start the loop."""
        self._task.start()

    async def stop(self) -> None:
        """Stop the loop. Nothing is moved any more."""
        await self._task.stop()

    def routes_changed(self) -> None:
        """Look again at what could not be moved: it may have another way now."""
        self._cursors.clear()

    async def turn(self) -> None:
        """Look at every connector once. Moves at most a few thousand rows of each."""
        now = self._monotonic()
        up = frozenset(number for number, dispatch in self._connectors.items() if dispatch.up)
        if up != self._up:
            self._up = up
            self._cursors.clear()
        for number in (*self._connectors, *self._configured_away()):
            if number in up:
                self._down_since.pop(number, None)
            elif now - self._down_since.setdefault(number, now) >= DOWN_SECONDS:
                await self._clear(number, now)

    async def _clear(self, connector: int, now: float) -> None:
        if not self._detours.routes.has_other(connector):
            return  # its messages wait for it, however many
        cursors = self._cursors.get(connector)
        if cursors is None or now - cursors.since >= AGAIN_SECONDS:
            cursors = self._cursors[connector] = _Cursors(now)
        moved = await self._move_due(connector, cursors)
        for category in Category:
            moved += await self._move_free(connector, category, cursors)
        if moved:
            self.moved += moved
            _log.info("handed_over", connector=connector, messages=moved)

    async def _move_free(self, connector: int, category: int, cursors: _Cursors) -> int:
        moved = 0
        for _ in range(BATCHES_PER_TURN_MAX):
            cursor = cursors.free[category]
            async with self._dedicated.transaction() as database:
                found = await database.fetch(
                    _SQL["outbox_free"], connector, category, *cursor.spans(), ROWS_MAX
                )
                moved += await self._move(database, connector, [row["id"] for row in found])
            cursor.advance((row["band"], row["unit"], row["id"]) for row in found)
            if len(found) < ROWS_MAX:
                break
        return moved

    async def _move_due(self, connector: int, cursors: _Cursors) -> int:
        """Move what waited for another attempt, or for a moment that has come."""
        moved = 0
        for _ in range(BATCHES_PER_TURN_MAX):
            async with self._dedicated.transaction() as database:
                found = await database.fetch(
                    _SQL["outbox_due_after"], connector, *cursors.due, ROWS_MAX
                )
                moved += await self._move(database, connector, [row["id"] for row in found])
            if found:
                cursors.due = (found[-1]["not_before"], found[-1]["id"])
            if len(found) < ROWS_MAX:
                break
        return moved

    async def _move(self, database: asyncpg.Connection, connector: int, ids: Sequence[int]) -> int:
        """Decide these anew, in the transaction of the caller, who has locked them."""
        if not ids:
            return 0
        rows = await database.fetch(_SQL["messages_waiting"], ids, min(ids))
        stays = connector in self._connectors  # one that is gone will not send the rest either
        moves: list[tuple[int, int]] = []
        told: list[Event] = []
        kinds: set[tuple[int, int]] = set()
        for start in range(0, len(rows), SLICE_ITEMS):
            await asyncio.sleep(0)
            for row in rows[start : start + SLICE_ITEMS]:
                if stays and (row["in_doubt"] or row["begun"]):
                    continue
                to, reason = self._decide(connector, row)
                if to != NO_CONNECTOR:
                    moves.append((row["id"], to))
                    kinds.add((to, row["category"]))
                    detail = {"from": connector, "to": to, "reason": reason}
                    told.append(Event(self._ids.next(), row["id"], "rerouted", detail))
        if moves:
            await database.execute(_SQL["outbox_move"], *zip(*moves, strict=True))
            await events.append(database, told)
            for kind in kinds:
                self._backlog(*kind)
        return len(moves)

    def _decide(self, connector: int, row: asyncpg.Record) -> tuple[int, str]:
        recipient = self._vault.open_or_none(row["to_enc"])
        if recipient is None:
            return NO_CONNECTOR, ""  # no route can be asked: it ends when it is claimed, or expires
        number, decision = self._detours.routes.elsewhere(
            connector,
            recipient,
            row["sender"],
            row["category"],
            self._detours.account_name(row["account"]),
            row["tags"] or (),
            row["tried"] or (),
        )
        return number, decision.reason
