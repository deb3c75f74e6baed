"""The messages of one account in one category: those of higher priority first.

Owns their order: three bands, as in the backlog (backlog_cursor.py), each first come, first served.
Must not know accounts or categories. Pure, O(1) per item.

A steady stream of urgent messages never starves the others. After PASSES_MAX items that passed a
lower band, it is that band's turn.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

BANDS = 3
PASSES_MAX = 12


class Prioritised(Protocol):
    """`priority` 0 (highest) to 9, `cost` in parts, at least 1."""

    @property
    def priority(self) -> int: ...
    @property
    def cost(self) -> int: ...


T = TypeVar("T", bound=Prioritised)


def band_of(priority: int) -> int:
    """Priorities 0-3, 4-6 and 7-9 as band 0, 1 and 2, the same as the backlog's index in SQL."""
    return priority * BANDS // 10


class PriorityBands(Generic[T]):
    """What waits, each with the moment it came. One plain queue as long as all is of one band."""

    __slots__ = ("_band", "_bands", "_passed", "_queue")

    def __init__(self) -> None:
        self._queue: deque[tuple[T, int]] = deque()
        self._band = -1  # the band of all in _queue, while _bands is None
        self._bands: tuple[deque[tuple[T, int]], ...] | None = None
        self._passed = 0

    def __bool__(self) -> bool:
        return bool(self._queue)

    def append(self, item: T, now: int) -> None:
        """Queue an item behind those of its band."""
        band = band_of(item.priority)
        if self._bands is None:
            if not self._queue:
                self._band = band
            if band == self._band:
                self._queue.append((item, now))
                return
            self._bands = tuple(
                self._queue if each == self._band else deque() for each in range(BANDS)
            )
        self._bands[band].append((item, now))
        self._choose()

    def first(self) -> tuple[T, int]:
        """(item whose turn it is, when it came). There must be one."""
        return self._queue[0]

    def popleft(self) -> tuple[T, int]:
        """Take what first() names."""
        taken = self._queue.popleft()
        if self._bands is None:
            self._passed = 0
        else:
            lower = any(self._bands[each] for each in range(band_of(taken[0].priority) + 1, BANDS))
            self._passed = self._passed + 1 if lower else 0
            self._choose()
        return taken

    def take(self, parts_max: int) -> list[tuple[T, int]]:
        """Take the next items, at most so many parts. An item that does not fit ends it."""
        taken: list[tuple[T, int]] = []
        room = parts_max
        while self._queue and (cost := self._queue[0][0].cost) <= room:
            room -= cost
            if self._bands is None:
                self._passed = 0
                taken.append(self._queue.popleft())
            else:
                taken.append(self.popleft())
        return taken

    def oldest(self) -> int:
        """When the longest-waiting item came. There must be one."""
        if self._bands is None:
            return self._queue[0][1]
        return min(queue[0][1] for queue in self._bands if queue)

    def __iter__(self) -> Iterator[T]:
        """All items, higher bands first."""
        for queue in self._bands or (self._queue,):
            for item, _ in queue:
                yield item

    def _choose(self) -> None:
        """Choose the band that is next. It is one queue again once a single band is left."""
        assert self._bands is not None
        waiting = [each for each in range(BANDS) if self._bands[each]]
        if len(waiting) <= 1:
            self._band = waiting[0] if waiting else -1
            self._queue = self._bands[self._band]
            self._bands = None  # those passed over meanwhile stay counted
            return
        self._queue = self._bands[waiting[-1] if self._passed >= PASSES_MAX else waiting[0]]
