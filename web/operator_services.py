"""What the HTTP edge needs for operators: breakers, anomalies, routes, and what carriers delivered.

Owns these protocols, and the shape of a route. Must not import what implements them: gateway/wiring
fills them in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from dispatch.breakers.desk import ByHand
from dispatch.breakers.machine import State
from dispatch.breakers.rows import Stored
from dispatch.breakers.scopes import Scope
from dispatch.raw.desk import RawDeliveryView, RawFilter
from dlr.anomalies.rows import Anomaly, AnomalyFilter


class Operator(msgspec.Struct, frozen=True):
    """Who asks for it: `actor` as the audit names them, and the account of their key."""

    account: int
    actor: str


class BreakerBook(Protocol):
    """Breakers of the installation, each with how many messages it holds."""

    async def listed(
        self, scope: Scope | None = None, states: Sequence[State] | None = None
    ) -> list[tuple[Stored, int]]:
        """Those that hold first. Raises StorageDown."""

    async def shown(self, scope: Scope, subject: str) -> tuple[Stored, int] | None:
        """None: it was never open. Raises UnknownSubject, StorageDown."""

    async def evidence(self, scope: Scope, subject: str) -> bytes | None:
        """The bundle of its last opening; None: there is none. Raises as shown()."""

    async def open(self, scope: Scope, subject: str, asked: ByHand) -> tuple[Stored, int]:
        """Raises UnknownSubject, BreakersFull, Overloaded, StorageDown."""

    async def close(self, scope: Scope, subject: str, asked: ByHand) -> tuple[Stored, int]:
        """Raises as open()."""


class AnomalyReader(Protocol):
    """What was found unlike other days."""

    async def listed(
        self, asked: AnomalyFilter, *, before: int | None, limit: int
    ) -> list[Anomaly]:
        """The latest first, behind the id `before`. Raises StorageDown."""


class RawDeliveries(Protocol):
    """What carriers delivered."""

    async def listed(
        self, wanted: RawFilter, *, before: int | None, limit: int
    ) -> list[RawDeliveryView] | None:
        """Deliveries before an id, newest first; None for an unknown connector. Raises
        StorageDown.
        """


class RouteMatch(msgspec.Struct):
    """Which messages a route takes: each list that is not empty must match, by any of it."""

    prefix: Sequence[str]
    sender: Sequence[str]
    category: Sequence[str]
    account: Sequence[str]
    country: Sequence[str]
    operator: Sequence[str]
    tag: Sequence[str]


class RouteLeg(msgspec.Struct):
    """A connector of a route. `capacity`: parts a second in this process; None: no limit is set."""

    connector: str
    weight: int  # 0 where order alone decides
    up: bool
    capacity: float | None


class RouteState(msgspec.Struct):
    """A route as it stands. `per_second` are the parts of its own `rate`; None: it has none."""

    match: RouteMatch
    rate: str | None
    per_second: float | None
    legs: Sequence[RouteLeg]
