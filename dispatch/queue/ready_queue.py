"""The bounded queue in front of one connector.

Owns how many parts may wait in memory, and which category may fill how much. Must not decide the
order (fair_scheduler.py). Pure. Everything is counted in parts.

Room is reserved before a message is committed and used afterwards, so a promised place is there.
Urgent categories keep room of their own: marketing may fill 70 % only. A full queue would otherwise
send a one-time password to the outbox, to wait for the next refill.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

from dispatch.queue.fair_scheduler import FairScheduler, Schedulable

FILL_PERCENT = (100, 90, 80, 70)  # how far a category may fill the queue: otp, transactional, …
REFILL_PERCENT = 50

T = TypeVar("T", bound=Schedulable)


class ReadyQueue(Generic[T]):
    """What waits in memory for one connector. waiting + reserved <= capacity, in parts.

    What comes back from the wire (push_front) may exceed that. The windows bound it, and it has
    nowhere else to go.
    """

    __slots__ = ("_capacity", "_reserved", "scheduler")

    def __init__(self, capacity_parts: int) -> None:
        self.scheduler: FairScheduler[T] = FairScheduler()
        self._capacity = capacity_parts
        self._reserved = 0

    def __len__(self) -> int:
        return len(self.scheduler)

    @property
    def capacity(self) -> int:
        """The bound in parts."""
        return self._capacity

    @property
    def reserved(self) -> int:
        """Parts promised to messages whose commit is under way."""
        return self._reserved

    @property
    def parts(self) -> int:
        """Waiting parts."""
        return self.scheduler.parts

    def resize(self, capacity_parts: int) -> None:
        """Change the bound, as the connector's rate changed. What waits stays, even above it."""
        self._capacity = capacity_parts

    def room(self, category: int) -> int:
        """Parts of this category that may still be reserved, at least 0."""
        limit = self._capacity * FILL_PERCENT[category] // 100
        return max(0, limit - self._reserved - self.scheduler.parts)

    def reserve(self, parts: int, category: int = 0) -> bool:
        """Promise room for this many parts; False when there is none.

        Each promise ends in push_reserved() or release(). A message larger than its category's
        whole limit is let into an empty queue, since it could never go otherwise.
        """
        waiting = self._reserved + self.scheduler.parts
        limit = self._capacity * FILL_PERCENT[category] // 100
        if waiting + parts > limit and waiting:
            return False
        self._reserved += parts
        return True

    def release(self, parts: int) -> None:
        """Give back a promise that was not used. Raises ValueError for more than was promised."""
        if parts > self._reserved:
            raise ValueError(f"release of {parts} parts, but only {self._reserved} are reserved")
        self._reserved -= parts

    def push_reserved(self, items: Iterable[T], now: int) -> None:
        """Queue items whose parts were reserved."""
        push, parts = self.scheduler.push, 0
        for item in items:
            parts += item.cost
            push(item, now)
        self.release(parts)

    def push_front(self, item: T, now: int) -> None:
        """Bring back an item that was taken: see FairScheduler.push_front."""
        self.scheduler.push_front(item, now)

    def take(self, parts_max: int, now: int) -> list[T]:
        """The next items: see FairScheduler.take."""
        return self.scheduler.take(parts_max, now)

    def next_cost(self) -> int:
        """Parts of the item whose turn it is; 0 when nothing waits."""
        return self.scheduler.next_cost()

    def refill_parts(self, category: int) -> int:
        """Parts to fetch from the outbox for this category; 0 while the queue is more than half
        full.

        The watermark keeps fetches large: hundreds of rows cost little more than ten.
        """
        if self._reserved + self.scheduler.parts > self._capacity * REFILL_PERCENT // 100:
            return 0
        return self.room(category)

    def drain(self) -> list[T]:
        """Take everything that waits, to be freed in the outbox. Promises stay."""
        return self.scheduler.drain()
