"""The database's clock, as this process knows it without asking.

Owns the difference between it and a clock that only rises. Must not read a clock nor ask the
database: who renews the owner term hands over what was answered. Pure.

What waits is stored with a moment and compared with the database's clock. So a moment that is
counted from now has to begin by that clock. Whoever sets this machine's clock moves none of them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

NANOSECONDS_A_MILLISECOND = 1_000_000


class DatabaseClock:
    """Until the first answer it is this machine's clock."""

    def __init__(self, wall_ms: Callable[[], int], monotonic_ns: Callable[[], int]) -> None:
        self._wall_ms = wall_ms
        self._monotonic_ns = monotonic_ns
        self._ahead_ns: float | None = None  # of the clock that only rises

    def answered(self, now: datetime, began_ns: int, ended_ns: int) -> None:
        """The database said `now` between these two moments of the clock that only rises.

        What is known stays as long as it agrees: a slow answer says little.
        """
        ahead = now.timestamp() * 1e9 - (began_ns + ended_ns) / 2
        unsure = (ended_ns - began_ns) / 2 + NANOSECONDS_A_MILLISECOND
        if self._ahead_ns is None or abs(ahead - self._ahead_ns) > unsure:
            self._ahead_ns = ahead

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        if self._ahead_ns is None:
            return self._wall_ms()
        return int(self._monotonic_ns() + self._ahead_ns) // NANOSECONDS_A_MILLISECOND
