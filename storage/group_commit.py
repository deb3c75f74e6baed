"""Group commit: while one flush runs the next batch gathers, and a busy writer rests a little.

Owns the queue before a writer, its bound, and who is told what became of which item. Must not know
what a flush does.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

from storage.faults import in_words, is_unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

T = TypeVar("T")
R = TypeVar("R")

# After a flush of n items the next small one begins n times this later. So a lone caller, or a peer
# that sends one thing at a time, is never kept waiting.
REST_SECONDS_PER_ITEM = 0.00025
ITEMS_ENOUGH = 100  # beyond this a flush costs hardly less per item when it is larger


class QueueFull(Exception):
    """The bound is reached. Nothing was taken."""


class QueueClosed(Exception):
    """Closed, or closed before the items were flushed."""


class _Ticket(Generic[T, R]):
    """One submission: how much of it is already in a batch, and the results so far."""

    __slots__ = ("future", "items", "results", "taken")

    def __init__(
        self, items: Sequence[T], future: asyncio.Future[list[R | BaseException]] | None
    ) -> None:
        self.items = items
        self.future = future
        self.results: list[R | BaseException] = []
        self.taken = 0

    def settle(self, results: Sequence[R | BaseException]) -> None:
        """Add the next results, in order. The last ones complete the future."""
        if self.future is None:
            return
        self.results.extend(results)
        if len(self.results) == len(self.items) and not self.future.done():
            self.future.set_result(self.results)


class GroupCommit(Generic[T, R]):
    """One writer for many callers, first come first served.

    `flush(items, attempt)` writes one batch and returns one result per item, in order. `attempt` is
    0 at first, and counts repetitions of the same batch. The try before may have been committed
    although it raised.

    `retry(error, attempt)` decides what follows when a flush raised. It gives the seconds until the
    same batch is flushed again, or None to give the error to its items. Without it nothing is tried
    again.

    `rest_seconds_max`: a flush waits up to so long after the last one for company; 0, never. It
    does not when ITEMS_ENOUGH wait already, or after `hurry`.

    Counters: `waiting` items (queued or being flushed, at most `items_waiting_max`), `flushes` and
    `items_flushed` that succeeded, `flush_failures`, `last_flush_seconds`. `failure`: what the last
    flush met, None once one has succeeded. By time.monotonic(): `failed_at`, and `began_at` of the
    running flush, None without one.
    """

    def __init__(
        self,
        flush: Callable[[list[T], int], Awaitable[Sequence[R]]],
        *,
        name: str,
        items_per_flush_max: int = 500,
        items_waiting_max: int = 20_000,
        retry: Callable[[BaseException, int], float | None] | None = None,
        rest_seconds_max: float = 0.0,
    ) -> None:
        self.name = name
        # A logger of its own, so that a lane that fails is heard beside others that fail as well.
        self._log = logging.getLogger(f"smsgate.storage.{name}")
        self.items_per_flush_max = items_per_flush_max
        self.items_waiting_max = items_waiting_max
        self.waiting = 0
        self.flushes = 0
        self.items_flushed = 0
        self.flush_failures = 0
        self.last_flush_seconds = 0.0
        self.failure: Exception | None = None
        self.failed_at = 0.0
        self.began_at: float | None = None
        self._failing_since = 0.0
        self._flush = flush
        self._retry = retry
        self._tickets: deque[_Ticket[T, R]] = deque()
        self._writer: asyncio.Task[None] | None = None
        self._closed = False
        self._rest_seconds_max = rest_seconds_max
        self._rested_at = 0.0
        self._hurried = False
        self._resting: asyncio.Future[None] | None = None

    def submit(self, items: Sequence[T]) -> asyncio.Future[list[R | BaseException]]:
        """A future of one result or exception per item, in order.

        A long submission may be spread over several flushes. Only the items of a flush that raised
        get its exception. `items` must not be changed afterwards. Raises QueueFull (nothing taken)
        or QueueClosed.
        """
        future: asyncio.Future[list[R | BaseException]] = asyncio.get_running_loop().create_future()
        self._enqueue(_Ticket(items, future))
        return future

    def offer(self, items: Sequence[T]) -> None:
        """As submit(), where nobody waits for the result."""
        self._enqueue(_Ticket(items, None))

    async def drain(self) -> None:
        """Return once everything taken so far, and taken meanwhile, is flushed."""
        while self._writer is not None:
            self.hurry()
            await asyncio.wait({self._writer})

    async def close(self) -> None:
        """Refuse new items, flush what is queued, stop.

        Cancelling it (a deadline) gives the rest up. Who waits for one of those items gets
        QueueClosed.
        """
        self._closed = True
        try:
            await self.drain()
        except asyncio.CancelledError:
            if self._writer is not None:
                self._writer.cancel()
            raise

    def hurry(self) -> None:
        """Flush without a rest: somebody can do nothing until what waits, or is about to come, is
        flushed.
        """
        self._hurried = True
        self._end_rest()

    def _end_rest(self) -> None:
        if self._resting is not None and not self._resting.done():
            self._resting.set_result(None)

    def _enqueue(self, ticket: _Ticket[T, R]) -> None:
        count = len(ticket.items)
        if self._closed:
            raise QueueClosed(f"{self.name} is closed")
        if self.waiting + count > self.items_waiting_max:
            raise QueueFull(f"{self.name}: {self.waiting} of {self.items_waiting_max} items wait")
        if count == 0:
            ticket.settle(())
            return
        self.waiting += count
        self._tickets.append(ticket)
        if self.waiting >= ITEMS_ENOUGH:
            self._end_rest()
        if self._writer is None:
            # Begins in the loop's next round, so everything handed in during this one goes along.
            self._writer = asyncio.get_running_loop().create_task(self._write(), name=self.name)

    async def _write(self) -> None:
        batch: list[tuple[_Ticket[T, R], int]] = []
        try:
            while self._tickets:
                await self._rest()
                items, batch = self._gather()
                results = await self._flush_until_settled(items)
                self._settle(batch, results)
                batch = []
                rest = min(self._rest_seconds_max, REST_SECONDS_PER_ITEM * len(items))
                self._rested_at = time.perf_counter() + rest
        finally:
            self._writer = None
            self._give_up(batch)

    async def _rest(self) -> None:
        seconds = self._rested_at - time.perf_counter()
        if seconds > 0 and self.waiting < ITEMS_ENOUGH and not self._closed and not self._hurried:
            loop = asyncio.get_running_loop()
            self._resting = loop.create_future()
            timer = loop.call_later(seconds, self._end_rest)
            try:
                await self._resting
            finally:
                timer.cancel()
                self._resting = None
        self._hurried = False

    def _gather(self) -> tuple[list[T], list[tuple[_Ticket[T, R], int]]]:
        """The next batch: its items, and how many are of whose submission."""
        items: list[T] = []
        shares: list[tuple[_Ticket[T, R], int]] = []
        while self._tickets and len(items) < self.items_per_flush_max:
            ticket = self._tickets[0]
            room = self.items_per_flush_max - len(items)
            share = ticket.items[ticket.taken : ticket.taken + room]
            items.extend(share)
            shares.append((ticket, len(share)))
            ticket.taken += len(share)
            if ticket.taken == len(ticket.items):
                self._tickets.popleft()
        return items, shares

    async def _flush_until_settled(self, items: list[T]) -> Sequence[R | BaseException]:
        attempt = 0
        while True:
            began = time.perf_counter()
            self.began_at = time.monotonic()
            try:
                results = await self._flush(items, attempt)
                if len(results) != len(items):
                    raise RuntimeError(
                        f"{self.name}: {len(results)} results for {len(items)} items"
                    )
            except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer to those who wait
                self.flush_failures += 1
                self._failed(error)
                delay = None if self._retry is None else self._retry(error, attempt)
                if delay is None:
                    return [error] * len(items)
                await asyncio.sleep(delay)
                attempt += 1
            else:
                self._succeeded()
                self.last_flush_seconds = time.perf_counter() - began
                self.flushes += 1
                self.items_flushed += len(items)
                return results

    def _failed(self, error: Exception) -> None:
        now = time.monotonic()
        if self.failure is None:
            self._failing_since = now
        self.failure, self.failed_at, self.began_at = error, now, None
        if is_unavailable(error):  # of others the text may hold what was to be written
            self._log.error("%s cannot be written: %s", self.name, in_words(error))

    def _succeeded(self) -> None:
        if self.failure is not None and is_unavailable(self.failure):
            seconds = time.monotonic() - self._failing_since
            self._log.warning("%s is written again, after %.1f s", self.name, seconds)
        self.failure = self.began_at = None

    def _settle(
        self, shares: list[tuple[_Ticket[T, R], int]], results: Sequence[R | BaseException]
    ) -> None:
        position = 0
        for ticket, count in shares:
            ticket.settle(results[position : position + count])
            position += count
        self.waiting -= position

    def _give_up(self, shares: list[tuple[_Ticket[T, R], int]]) -> None:
        """After a cancellation, end what is left: nobody must wait for it for ever."""
        closed = QueueClosed(f"{self.name} was closed before this was flushed")
        shares += [(ticket, len(ticket.items) - ticket.taken) for ticket in self._tickets]
        self._tickets.clear()
        self._settle(shares, [closed] * sum(count for _ticket, count in shares))
