"""What every process learns of breakers, again and again, and the steps that time brings.

Owns one loop. It learns which breakers hold. Now and then it ends back-offs, judges probes, and
lets go what was held. Each process may take each step: a row is locked by one, and the others pass
over it. So what a dead process left goes on. Must not open or close by hand (desk.py).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from itertools import count

import structlog

from dispatch.breakers import machine, rows
from dispatch.breakers.machine import Breaker, Probes, State
from dispatch.breakers.rows import LIFT_ROWS_MAX, Stored
from dispatch.breakers.scopes import Board
from dispatch.breakers.telling import tell_change
from storage.ids import IdSource
from storage.periodic import Ended, PeriodicTask
from storage.pool import Connection, Dedicated

_log = structlog.get_logger(__name__)
LOOK_SECONDS = 0.5
STEP_LOOKS = 4  # a step is taken with every fourth look, and when something was changed here
LEARNED_MS = int(2 * LOOK_SECONDS * 1000)  # since a change: by then every process has learned it
PROBES_AGAIN_MS = 30_000  # until more are let go for a round that has room
LIFTS_PER_STEP_MAX = 20  # of LIFT_ROWS_MAX each


class BreakerWatch:
    """This process's part."""

    def __init__(
        self,
        dedicated: Dedicated,
        board: Board,
        *,
        up: Callable[[], Collection[int]],
        ids: IdSource,
        wall_ms: Callable[[], int],
        ended: Ended,
    ) -> None:
        """`up`: the connectors that have a bind. When one comes up, what waits may go by it."""
        self._dedicated = dedicated
        self._board = board
        self._up = up
        self._ids = ids
        self._wall_ms = wall_ms
        self._were_up: frozenset[int] = frozenset()
        self._look_again: dict[int, datetime] = {}  # breaker -> what was held until then
        self._probes_lifted: dict[int, tuple[int, int]] = {}  # breaker -> round, when
        self._looks = count()
        self._news = False
        self._task = PeriodicTask("breakers", self._turn, lambda: LOOK_SECONDS, ended=ended)
        self.lifted = 0

    def start(self) -> None:
        """Start the loop."""
        self._task.start()

    async def stop(self) -> None:
        """Stop the loop."""
        await self._task.stop()

    def changed(self) -> None:
        """Something was changed here: learn it now."""
        self._news = True
        self._task.wake()

    async def _turn(self) -> None:
        news, self._news = self._news, False
        await self.learn()
        if news or next(self._looks) % STEP_LOOKS == 0:
            await self.step()

    async def learn(self) -> None:
        """Ask the database once which breakers hold."""
        async with self._dedicated.guarded() as connection:
            self._board.learn(await rows.holding(connection))

    async def step(self) -> None:
        """Whatever time has brought, bounded."""
        now = self._wall_ms()
        async with self._dedicated.transaction() as connection:
            at_hand = await rows.at_hand(connection, now)
            for stored in at_hand:
                await self._advance(connection, stored, now)
        known = {stored.id for stored in at_hand}
        for gone in self._probes_lifted.keys() - known:
            del self._probes_lifted[gone]
        self._note_who_came_up(now)
        await self._lift()

    async def _advance(self, connection: Connection, stored: Stored, now: int) -> None:
        before = stored.breaker
        after, probes = machine.due(before, now), None
        if before.state is State.HALF_OPEN:
            after = machine.given_back(before, await rows.unfit_probes(connection, stored))
            probes = await rows.fared(connection, stored)
            after = machine.judged(after, probes, now)
        if after != before:
            reason = stored.reason if probes is None else _why(before, after, probes)
            told = after.state is not before.state
            actor = "probes" if told and probes is not None else stored.actor
            await rows.update(connection, stored, after, actor, reason if told else stored.reason)
            if told:
                await tell_change(connection, stored.target, before, after, reason, self._ids)
                _log.warning(
                    "breaker_changed",
                    scope=str(stored.target.scope),
                    subject=stored.target.subject,
                    state=after.state.label,
                    reason=reason,
                )
        # A process that still thinks it shut would hold the probes back once more.
        learned = now - after.since >= LEARNED_MS
        if learned and machine.room(after) and self._may_lift(stored.id, after.round, now):
            await rows.lift_probes(connection, stored.id, _at(now), machine.room(after))

    def _may_lift(self, breaker: int, round_number: int, now: int) -> bool:
        """Probes that were let go a moment ago may be on their way to the look yet."""
        lifted_round, at = self._probes_lifted.get(breaker, (-1, 0))
        if lifted_round == round_number and now - at < PROBES_AGAIN_MS:
            return False
        self._probes_lifted[breaker] = (round_number, now)
        return True

    def _note_who_came_up(self, now: int) -> None:
        up = frozenset(self._up())
        for each in self._board.known:
            if each.target.scope.of_route and up - self._were_up - {each.target.connector}:
                self._look_again[each.id] = _at(now)
        self._were_up = up

    async def _lift(self) -> None:
        async with self._dedicated.guarded() as connection:
            free = dict.fromkeys(await rows.to_lift(connection), _at(self._wall_ms()))
        for breaker, until in (self._look_again | free).items():
            for _ in range(LIFTS_PER_STEP_MAX):
                async with self._dedicated.transaction() as connection:
                    met = await rows.lift(connection, breaker, until)
                self.lifted += met
                if met < LIFT_ROWS_MAX:
                    self._look_again.pop(breaker, None)
                    break


def _why(before: Breaker, after: Breaker, probes: Probes) -> str:
    size = machine.ROUNDS[before.round]
    if after.state is State.CLOSED and before.taken < size:
        return "nothing of it was sent for a day, or for a week behind probes that failed"
    return f"of {size} probes {probes.delivered} were delivered and {probes.failed} failed"


def _at(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
