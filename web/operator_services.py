"""What the HTTP edge needs for operators: breakers, anomalies, and what carriers delivered.

Owns these protocols. Must not import what implements them: gateway/wiring fills them in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from dispatch.breakers.desk import ByHand
from dispatch.breakers.machine import State
from dispatch.breakers.rows import Stored
from dispatch.breakers.scopes import Scope
from dispatch.raw.desk import RawDeliveryView, RawFilter
from dlr.anomalies.rows import Anomaly, AnomalyFilter


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
