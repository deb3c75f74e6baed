"""Breakers as the application runs them: what holds, the last look, the loop, and the desk.

Owns that they know each other. Must not decide anything.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from dispatch.answers.outcomes import Elsewhere
from dispatch.breakers.bundles import Bundles
from dispatch.breakers.desk import BreakerDesk
from dispatch.breakers.look import BreakerLook
from dispatch.breakers.scopes import Board, Scope
from dispatch.breakers.watch import BreakerWatch
from dispatch.clock import Clock
from storage.crypto import NumberVault
from storage.ids import IdSource
from storage.names import Registry
from storage.periodic import Ended
from storage.pool import Database


class Breakers:
    """Of one process; what holds is the same for all."""

    def __init__(
        self,
        database: Database,
        *,
        registry: Registry,
        vault: NumberVault,
        operator_of: Callable[[str], str | None],
        elsewhere: Elsewhere,
        up: Callable[[], Collection[int]],
        ids: IdSource,
        clock: Clock,
        ended: Ended,
    ) -> None:
        """`up`: the connectors that have a bind. `elsewhere`: the next of a message's route."""
        self.board = Board(operator_of)
        self.look = BreakerLook(self.board, elsewhere, clock.wall_ms)
        self.watch = BreakerWatch(
            database.dedicated("breakers"),
            self.board,
            up=up,
            ids=ids,
            wall_ms=clock.wall_ms,
            ended=ended,
        )
        self.desk = BreakerDesk(
            database.dedicated("breaker-desk"),
            database.read,
            registry=registry,
            bundles=Bundles(vault, operator_of),
            ids=ids,
            wall_ms=clock.wall_ms,
            changed=self.watch.changed,
            board=self.board,
        )

    def follow(self, by_itself: Collection[Scope], *, otp: bool) -> None:
        """Settings, at the start and at a reload."""
        self.desk.by_itself = frozenset(by_itself)
        self.board.otp = otp

    async def start(self) -> None:
        """Learn what holds before anything is sent. Then keep watching."""
        await self.watch.learn()
        self.watch.start()

    async def stop(self) -> None:
        """Stop watching."""
        await self.watch.stop()
