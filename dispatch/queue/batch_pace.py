"""Batches that are stopped or have a rate of their own, as this process knows them.

Owns that knowledge, and which messages in memory may go. Must not ask the database: it is told.
Pure. Without such a batch nothing is asked at all.

What it knows may be a quarter of a second old. For stops the check before the intent is exact. For
rates the claim in the database is (batch_feed.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from dispatch.message import ReadyMessage
from ratelimit.spec import RateSpec
from ratelimit.token_bucket import TokenBucket


class LiveBatch(msgspec.Struct, frozen=True):
    """One batch that is stopped or has a rate. Its messages have ids up to `until_id`."""

    id: int
    until_id: int
    stopped: bool
    rate: RateSpec | None = None


class BatchPace:
    """The batches known here. True while there is one."""

    __slots__ = ("_buckets", "_live", "_order")

    def __init__(self) -> None:
        self._live: Mapping[int, LiveBatch] = {}
        self._order: Sequence[int] = ()
        self._buckets: dict[int, TokenBucket] = {}

    def __bool__(self) -> bool:
        return bool(self._live)

    def __contains__(self, batch_id: int | None) -> bool:
        """Whether claims step over this batch. Its messages come at its rate, or not at all."""
        return batch_id in self._live

    @property
    def stepped_over(self) -> Sequence[int]:
        """The batches that no ordinary claim takes from, ascending."""
        return self._order

    @property
    def with_rate(self) -> list[LiveBatch]:
        """The batches that go on at a rate of their own."""
        return [batch for batch in self._live.values() if not batch.stopped and batch.rate]

    def learn(self, batches: Iterable[LiveBatch], now_ns: int) -> None:
        """Replace what is known: these batches, and no others, are stopped or have a rate."""
        live = {batch.id: batch for batch in batches}
        buckets: dict[int, TokenBucket] = {}
        for batch in live.values():
            if batch.rate is None:
                continue
            bucket = self._buckets.get(batch.id)
            if bucket is None:
                bucket = TokenBucket(batch.rate, now_ns)
            else:
                bucket.set_rate(batch.rate, now_ns)
            buckets[batch.id] = bucket
        self._live, self._buckets, self._order = live, buckets, sorted(live)

    def sift(
        self, messages: Sequence[ReadyMessage], now_ns: int
    ) -> tuple[list[ReadyMessage], list[ReadyMessage]]:
        """(messages that may go, messages that go back into the outbox).

        What was let go at its batch's rate passes. It goes back when it was held up on the way and
        would meet those let go later. So no second sees more than rate + burst.
        """
        go: list[ReadyMessage] = []
        back: list[ReadyMessage] = []
        for message in messages:
            batch = None if message.batch_id is None else self._live.get(message.batch_id)
            passes = batch is None or (not batch.stopped and self._paced(message, batch, now_ns))
            (go if passes else back).append(message)
        return go, back

    def _paced(self, message: ReadyMessage, batch: LiveBatch, now_ns: int) -> bool:
        bucket = self._buckets.get(batch.id)
        if bucket is None:
            return True
        return message.let_go and bucket.take(message.cost, now_ns) == 0
