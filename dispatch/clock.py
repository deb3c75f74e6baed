"""Where the time comes from, for those who are told it.

Owns the pair of clocks only; the composition root fills it in.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec


class Clock(msgspec.Struct, frozen=True):
    """Wall clock in ms for what is stored, monotonic ns for pacing."""

    wall_ms: Callable[[], int]
    monotonic_ns: Callable[[], int]
