"""Asks carriers about parts that no receipt came for.

Owns when which part is asked about: each at most once, oldest first, a few per turn, and only where
the window has room that messages do not need. Must not read answers (carrier_queries.py).

Of several processes one asks, whichever holds the lock; the others keep up, to go on from there. A
part whose time came while none ran is not asked about: its receipt may still come.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from dlr.unreported import Unreported, unreported
from gateway.dispatch.carrier_queries import CarrierQueries
from gateway.dispatch.clock import Clock
from gateway.dispatch.connector_dispatch import ConnectorDispatch
from gateway.periodic import Ended, PeriodicTask
from smpp.pdu import QuerySm
from storage import sql
from storage.ids import id_at
from storage.pool import Connection, Dedicated

_SQL = sql.load(__package__)

TURN_SECONDS: Final = 2.0


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
        """Begin with what becomes due from now on."""
        self._keep_up()
        self._task.start()

    async def stop(self) -> None:
        """Ask nothing any more."""
        await self._task.stop()

    async def turn(self) -> None:
        """One look at every connector."""
        asking = self._asking()
        if not asking:
            return
        connection = await self._dedicated.connection()
        if self._locked_on is not connection:
            if not await connection.fetchval(_SQL["querying_lock"]):
                self._keep_up()
                return
            self._locked_on = connection
        for dispatch, queries in asking:
            await self._ask(connection, dispatch, queries)

    async def _ask(
        self, connection: Connection, dispatch: ConnectorDispatch, queries: CarrierQueries
    ) -> None:
        cursor = self._cursors.setdefault(dispatch.connector, self._due(queries))
        room = self._room(dispatch, queries)
        if not room:
            return
        found = await unreported(
            connection,
            dispatch.connector,
            cursor,
            self._due(queries),
            room,
        )
        pairs = [(pdu, part) for part in found.parts if (pdu := queries.query(part)) is not None]
        taken = self._write(dispatch, queries, pairs)
        if taken == len(pairs):
            self._cursors[dispatch.connector] = found.cursor
        elif taken:
            self._cursors[dispatch.connector] = pairs[taken - 1][1].submission_id

    def _room(self, dispatch: ConnectorDispatch, queries: CarrierQueries) -> int:
        """How many may be asked now: messages keep half of a window, and the pace holds."""
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
        """Returns how many were written: messages may have taken the room in the meantime."""
        batch = batch[: self._room(dispatch, queries)]
        bind = dispatch.roomiest
        if bind is None or not batch:
            return 0
        taken = bind.query(batch)
        queries.asked(bind, taken)
        dispatch.pace.take(taken, self._clock.monotonic_ns())
        return taken

    def _asking(self) -> list[tuple[ConnectorDispatch, CarrierQueries]]:
        """Those that want it now; a reload adds and removes connectors."""
        return [
            (dispatch, dispatch.queries)
            for dispatch in self._connectors.values()
            if dispatch.queries is not None
        ]

    def _keep_up(self) -> None:
        for dispatch, queries in self._asking():
            self._cursors[dispatch.connector] = self._due(queries)

    def _due(self, queries: CarrierQueries) -> int:
        """The id of a part that is old enough from this moment on."""
        now = datetime.fromtimestamp(self._clock.wall_ms() / 1000, UTC)
        return id_at(now - timedelta(seconds=queries.wait_seconds))
