"""The messages of one account in one category: those of higher priority first.

Owns their order: three bands, as the backlog is read (backlog_cursor.py), and in a band first come,
first served. Pure, O(1) per item. A steady stream of urgent messages never starves the others:
after PASSES_MAX items that went before one of a lower band, it is that band's turn.
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
    """0-3, 4-6, 7-9, as the index of the backlog says it in SQL."""
    return priority * BANDS // 10


class PriorityBands(Generic[T]):
    """What waits, each with the moment it came. As long as all of it is of one band, that is one
    queue and nothing more.
    """

    __slots__ = ("_band", "_bands", "_passed", "_queue")

    def __init__(self) -> None:
        self._queue: deque[tuple[T, int]] = deque()
        self._band = -1  # of all that is in _queue, while _bands is None
        self._bands: tuple[deque[tuple[T, int]], ...] | None = None
        self._passed = 0

    def __bool__(self) -> bool:
        return bool(self._queue)

    def append(self, item: T, now: int) -> None:
        """Behind those of its band."""
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
        """Whose turn it is, and when it came. There must be one."""
        return self._queue[0]

    def popleft(self) -> tuple[T, int]:
        """Take it."""
        taken = self._queue.popleft()
        if self._bands is None:
            self._passed = 0
        else:
            lower = any(self._bands[each] for each in range(band_of(taken[0].priority) + 1, BANDS))
            self._passed = self._passed + 1 if lower else 0
            self._choose()
        return taken

    def take(self, parts_max: int) -> list[tuple[T, int]]:
        """The next ones, of at most so many parts; what does not fit ends it."""
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
        """All of it, higher bands first."""
        for queue in self._bands or (self._queue,):
            for item, _ in queue:
                yield item

    def _choose(self) -> None:
        """Whose turn it is from now on; one queue again as soon as one band is left."""
        assert self._bands is not None
        waiting = [each for each in range(BANDS) if self._bands[each]]
        if len(waiting) <= 1:
            self._band = waiting[0] if waiting else -1
            self._queue = self._bands[self._band]
            self._bands = None  # who was passed over meanwhile stays counted
            return
        self._queue = self._bands[waiting[-1] if self._passed >= PASSES_MAX else waiting[0]]
