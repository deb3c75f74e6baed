"""Which batches are not as they were accepted: stopped, or with a rate of their own.

Owns what this process knows of them, as of the last look at the database, and who of the messages
in memory may go. Pure, and nothing at all is asked while every batch is as it was accepted. What it
knows may be a quarter of a second old: the last look before the wire is the exact one for what is
stopped, and what has a rate is let go in the database.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from dispatch.message import ReadyMessage
from ratelimit.spec import RateSpec
from ratelimit.token_bucket import TokenBucket


class LiveBatch(msgspec.Struct, frozen=True):
    """One batch that all processes have to know of. Its messages have ids up to `until_id`."""

    id: int
    until_id: int
    stopped: bool
    rate: RateSpec | None = None


class BatchPace:
    """What is known here. True while there is a batch to be known of."""

    __slots__ = ("_buckets", "_live", "_order")

    def __init__(self) -> None:
        self._live: Mapping[int, LiveBatch] = {}
        self._order: Sequence[int] = ()
        self._buckets: dict[int, TokenBucket] = {}

    def __bool__(self) -> bool:
        return bool(self._live)

    def __contains__(self, batch_id: int | None) -> bool:
        """Whether claims step over this batch: its messages come by its rate, or not at all."""
        return batch_id in self._live

    @property
    def stepped_over(self) -> Sequence[int]:
        """The batches that no ordinary claim takes from, ascending."""
        return self._order

    @property
    def with_rate(self) -> list[LiveBatch]:
        """Those that go on at a rate of their own."""
        return [batch for batch in self._live.values() if not batch.stopped and batch.rate]

    def learn(self, batches: Iterable[LiveBatch], now_ns: int) -> None:
        """These, and no others, are not as they were accepted."""
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
        """Those that may go, and those that belong back into the outbox.

        What was let go at its batch's rate passes, unless it was held up on its way and would come
        together with those let go later: a second never sees more than rate and burst.
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
