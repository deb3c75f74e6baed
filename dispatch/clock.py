"""Where the time comes from, for parts that are given a clock.

Owns the pair of clocks. Must not read one itself: the composition root fills it in.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec


class Clock(msgspec.Struct, frozen=True):
    """Wall clock in ms since the epoch for what is stored; monotonic ns for pacing.

    `database_ms` is the wall clock of the database, by which it is told what is due.
    """

    wall_ms: Callable[[], int]
    monotonic_ns: Callable[[], int]
    database_ms: Callable[[], int]

    def ahead_ms(self) -> int:
        """This machine's clock less the database's."""
        return self.wall_ms() - self.database_ms()
