"""Where the time comes from, for parts that are given a clock.

Owns the pair of clocks. Must not read one itself: the composition root fills it in.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec


class Clock(msgspec.Struct, frozen=True):
    """Wall clock in ms since the epoch for what is stored; monotonic ns for pacing."""

    wall_ms: Callable[[], int]
    monotonic_ns: Callable[[], int]
