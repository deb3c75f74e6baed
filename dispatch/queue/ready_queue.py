"""The bounded queue in front of one connector.

Owns how much may wait in memory and who may fill it; the order is `fair_scheduler.py`. Pure.
Everything is counted in parts. Room is reserved before a message is committed and used afterwards,
so that what was promised room has it.

Urgent categories keep room of their own: marketing may fill the queue to 70 % only. Otherwise a
full queue would send a one-time password to the outbox, to wait for the next refill.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

from dispatch.queue.fair_scheduler import FairScheduler, Schedulable

FILL_PERCENT = (100, 90, 80, 70)  # how full a category may make the queue: otp, transactional, …
REFILL_PERCENT = 50

T = TypeVar("T", bound=Schedulable)


class ReadyQueue(Generic[T]):
    """What waits in memory for one connector.

    waiting + reserved <= capacity, except for what comes back from the wire (push_front): that is
    bounded by the windows and has nowhere else to go.
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
        """The bound, in parts."""
        return self._capacity

    @property
    def reserved(self) -> int:
        """Parts promised to messages that are being committed."""
        return self._reserved

    @property
    def parts(self) -> int:
        """Parts that wait."""
        return self.scheduler.parts

    def resize(self, capacity_parts: int) -> None:
        """The connector's rate changed. What waits stays, even above the new bound."""
        self._capacity = capacity_parts

    def room(self, category: int) -> int:
        """Parts of this category that may still be reserved."""
        limit = self._capacity * FILL_PERCENT[category] // 100
        return max(0, limit - self._reserved - self.scheduler.parts)

    def reserve(self, parts: int, category: int = 0) -> bool:
        """Promise room for that many parts, or refuse. Each promise ends in push_reserved or
        release.

        A message larger than the whole limit of its category is let into an empty queue: it could
        never go otherwise.
        """
        waiting = self._reserved + self.scheduler.parts
        limit = self._capacity * FILL_PERCENT[category] // 100
        if waiting + parts > limit and waiting:
            return False
        self._reserved += parts
        return True

    def release(self, parts: int) -> None:
        """Give back a promise that was not used."""
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
        """How many parts to fetch from the outbox for this category; 0 while more than half full.

        The watermark keeps the fetches large: one of hundreds of rows costs little more than one of
        ten.
        """
        if self._reserved + self.scheduler.parts > self._capacity * REFILL_PERCENT // 100:
            return 0
        return self.room(category)

    def drain(self) -> list[T]:
        """Everything that waits, for its way back to the outbox. Promises stay."""
        return self.scheduler.drain()
