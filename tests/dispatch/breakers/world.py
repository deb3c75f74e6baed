"""Breakers over a real database: the parts as the gateway puts them together."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from dispatch.answers.outcomes import Detour
from dispatch.breakers.bundles import Bundles
from dispatch.breakers.desk import BreakerDesk, ByHand
from dispatch.breakers.look import BreakerLook
from dispatch.breakers.scopes import Board, Scope
from dispatch.breakers.watch import BreakerWatch
from dispatch.message import ReadyMessage
from dispatch.wire.last_look import SuppressionLook
from storage.names import Registry
from tests.dispatch.world import CONNECTOR, VAULT, World, wall_ms

OTHER = CONNECTOR + 1
HOUR = 3600
MINUTE_MS = 60_000


def operator_of(number: str) -> str | None:
    return "china mobile" if number.startswith("+86138") else None


@dataclass
class Breakers:
    """`ways`: connector -> the next of its route. `ahead`: ms that the clock is ahead."""

    world: World
    by_itself: Collection[Scope] = ()
    otp: bool = False
    connectors: Mapping[str, int] = field(default_factory=lambda: {"sim": CONNECTOR, "b": OTHER})
    ways: Mapping[int, int] = field(default_factory=dict)
    ahead: int = 0
    up: set[int] = field(default_factory=lambda: {CONNECTOR})

    def __post_init__(self) -> None:
        world, self.board = self.world, Board(operator_of, otp=self.otp)
        self.look = BreakerLook(self.board, self._elsewhere, self.now)
        self.watch = BreakerWatch(
            world.database.dedicated("breakers"),
            self.board,
            up=lambda: self.up,
            ids=world.ids,
            wall_ms=self.now,
            ended=asyncio.Task.cancelled,
        )
        self.desk = BreakerDesk(
            world.database.dedicated("breaker-desk"),
            world.database.read,
            registry=Registry({"default": 1}, self.connectors),
            bundles=Bundles(VAULT, operator_of),
            ids=world.ids,
            wall_ms=self.now,
            changed=lambda: None,
            board=self.board,
            by_itself=self.by_itself,
        )
        world.intents.looks = (self.look, SuppressionLook())

    def now(self) -> int:
        return wall_ms() + self.ahead

    def _elsewhere(self, connector: int, _message: ReadyMessage) -> Detour | None:
        to = self.ways.get(connector)
        return None if to is None else Detour(to, "routes[0]", 2)

    async def open(
        self, scope: Scope = Scope.CONNECTOR, subject: str = "sim", seconds: int = HOUR
    ) -> None:
        """By hand, and this process knows."""
        await self.desk.open(scope, subject, by_hand(seconds))
        await self.watch.learn()

    async def time_passes(self, milliseconds: int) -> None:
        """And each loop has its turn."""
        self.ahead += milliseconds
        await self.watch.step()
        await self.watch.learn()


def by_hand(seconds: int = HOUR) -> ByHand:
    return ByHand(account=1, actor="key 7", reason="they asked for it", seconds=seconds)
