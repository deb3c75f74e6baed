"""query_sm: carriers are asked about parts that no receipt came for.

Owns which part is asked about, and when. Each is asked about at most once, oldest first, a few per
turn, in the room that messages leave in the window. Must not read answers (carrier_queries.py).

Of several processes one asks: whichever holds the lock, from where the last one came to. So the
next process asks about what came due while none ran. That place is committed before the questions
are written. A process that dies in between has not asked, and nobody will.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from dispatch.answers.carrier_queries import CarrierQueries
from dispatch.clock import Clock
from dispatch.wire.connector_dispatch import ConnectorDispatch
from dlr.unreported import Unreported, unreported
from smpp.pdu import QuerySm
from storage import sql
from storage.ids import id_at
from storage.periodic import Ended, PeriodicTask
from storage.pool import Connection, Dedicated

_SQL = sql.load("dispatch")

TURN_SECONDS: Final = 2.0
LOOK_BACK: Final = timedelta(days=3)  # before what is due: carriers do not keep states for longer


class Querying:
    """One loop for all connectors of this process that want it."""

    def __init__(
        self,
        dedicated: Dedicated,
        connectors: Mapping[int, ConnectorDispatch],
        clock: Clock,
        ended: Ended,
    ) -> None:
        self._dedicated = dedicated
        self._connectors = connectors
        self._clock = clock
        self._cursors: dict[int, int] = {}
        self._locked_on: Connection | None = None
        self._task = PeriodicTask(
            "querying", self.turn, lambda: TURN_SECONDS, ended=ended, pause_first=True
        )

    def start(self) -> None:
        """Start the loop where the last process came to. The first process begins with what comes
        due now.
        """
        self._task.start()

    async def stop(self) -> None:
        """Stop the loop. Nothing is asked any more."""
        await self._task.stop()

    async def turn(self) -> None:
        """Look at every connector once."""
        asking = self._asking()
        if not asking:
            return
        connection = await self._dedicated.connection()
        if self._locked_on is not connection:
            if not await connection.fetchval(_SQL["querying_lock"]):
                return
            self._locked_on = connection
            self._cursors.clear()
        for dispatch, queries in asking:
            await self._ask(connection, dispatch, queries)

    async def _ask(
        self, connection: Connection, dispatch: ConnectorDispatch, queries: CarrierQueries
    ) -> None:
        number = dispatch.connector
        cursor = await self._cursor(connection, number, queries)
        room = self._room(dispatch, queries)
        if not room:
            return
        found = await unreported(connection, number, cursor, self._due(queries), room)
        pairs = [(pdu, part) for part in found.parts if (pdu := queries.query(part)) is not None]
        await self._move(connection, number, found.cursor)
        taken = self._write(dispatch, queries, pairs)
        if taken < len(pairs):
            reached = pairs[taken - 1][1].submission_id if taken else cursor
            await self._move(connection, number, reached)

    async def _cursor(self, connection: Connection, connector: int, queries: CarrierQueries) -> int:
        known = self._cursors.get(connector)
        if known is not None:
            return known
        stored = await connection.fetchval(_SQL["query_cursor"], connector)
        if stored is None:
            await self._move(connection, connector, self._due(queries))
        else:
            self._cursors[connector] = max(stored, self._due(queries, LOOK_BACK))
        return self._cursors[connector]

    async def _move(self, connection: Connection, connector: int, cursor: int) -> None:
        if self._cursors.get(connector) != cursor:
            self._cursors.pop(connector, None)  # unknown, should this fail
            await connection.execute(_SQL["query_cursor_move"], connector, cursor)
            self._cursors[connector] = cursor

    def _room(self, dispatch: ConnectorDispatch, queries: CarrierQueries) -> int:
        """How many may be asked now. Messages keep half of each window, and the pace holds."""
        bind = dispatch.roomiest
        if bind is None:
            return 0
        beyond_half = bind.free_slots - bind.settings.window // 2
        paced = dispatch.pace.available(self._clock.monotonic_ns())
        return max(0, min(beyond_half, paced, queries.room))

    def _write(
        self,
        dispatch: ConnectorDispatch,
        queries: CarrierQueries,
        batch: Sequence[tuple[QuerySm, Unreported]],
    ) -> int:
        """Returns how many were written: messages may have taken the room meanwhile."""
        batch = batch[: self._room(dispatch, queries)]
        bind = dispatch.roomiest
        if bind is None or not batch:
            return 0
        taken = bind.query(batch)
        queries.asked(bind, taken)
        dispatch.pace.take(taken, self._clock.monotonic_ns())
        return taken

    def _asking(self) -> list[tuple[ConnectorDispatch, CarrierQueries]]:
        """The connectors that want it now. A reload adds and removes some."""
        return [
            (dispatch, dispatch.queries)
            for dispatch in self._connectors.values()
            if dispatch.queries is not None
        ]

    def _due(self, queries: CarrierQueries, older: timedelta = timedelta(0)) -> int:
        """The id of a part that is old enough from this moment on, or older by so much."""
        now = datetime.fromtimestamp(self._clock.wall_ms() / 1000, UTC)
        return id_at(now - timedelta(seconds=queries.wait_seconds) - older)
