"""Owns what happens later: one heap of moments, one timer, everything due at a moment in one list.

Must not know what the items are.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")

# Event loops time in milliseconds. Half of one, rounded to the nearest, keeps a latency of 50 ms
# true to 1 % on average, and not always late.
RESOLUTION_SECONDS: Final = 0.0005


class Timetable(Generic[Item]):
    """``add`` is O(1) for a moment that has items already, O(log moments) for a new one."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, on_due: Callable[[list[Item]], None]
    ) -> None:
        self._loop = loop
        self._on_due = on_due
        self._buckets: dict[int, list[Item]] = {}
        self._moments: list[int] = []
        self._timer: asyncio.TimerHandle | None = None
        self._timer_moment = 0

    def add(self, due: float, items: Sequence[Item]) -> None:
        """``items`` are due at ``due``, in the loop's time."""
        moment = round(due / RESOLUTION_SECONDS)
        bucket = self._buckets.get(moment)
        if bucket is not None:
            bucket.extend(items)
            return
        self._buckets[moment] = list(items)
        heapq.heappush(self._moments, moment)
        if self._timer is None or moment < self._timer_moment:
            self._arm(moment)

    def clear(self) -> None:
        """Forget everything; the timer stops."""
        self._buckets.clear()
        self._moments.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, moment: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_moment = moment
        self._timer = self._loop.call_at(moment * RESOLUTION_SECONDS, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        moments = self._moments
        now = self._loop.time() / RESOLUTION_SECONDS + 1
        due: list[Item] = []
        while moments and moments[0] <= now:
            due += self._buckets.pop(heapq.heappop(moments))
        if moments:
            self._arm(moments[0])
        if due:
            self._on_due(due)
