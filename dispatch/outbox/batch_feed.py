"""Batches with a rate of their own: so many parts a second, over all processes together.

Owns the claim of such a batch's messages, in the transaction that pays for them in the batch's row.
Must not send. What was let go and held up on its way is stopped by batch_pace.py.

Whoever claims locks the row, so all processes share one bucket without talking to each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

import asyncpg

from dispatch.message import ReadyMessage
from dispatch.outbox.claims import Claims
from dispatch.queue.batch_pace import BatchPace, LiveBatch
from dispatch.wire.connector_dispatch import ConnectorDispatch
from ratelimit.spec import RateSpec, parse_rate
from smpp.segmentation import PARTS_MAX
from storage import sql
from storage.categories import Category
from storage.periodic import Ended, PeriodicTask
from storage.pool import Connection

_SQL = sql.load("dispatch")
CLAIM_ROWS_MAX = 500
PAUSE_SECONDS_MIN = 0.02
PAUSE_SECONDS_MAX = 0.5  # also how soon a batch that was just given a rate begins
REWIND_SECONDS = 1.0  # ids below the cursor come back: retries, and what did not fit
MICROSECONDS = 1_000_000


def parts_allowed(rate: RateSpec, paid_until: int, now: int) -> int:
    """How many parts may go now. Moments in microseconds; what went is paid for until `paid_until`.

    A leaky bucket with rate and burst (the GCRA of ITU-T I.371).
    """
    if rate.paused:
        return 0
    ahead = max(0, paid_until - now)
    per_part = rate.denominator * MICROSECONDS
    return max(0, (rate.burst * per_part - ahead * rate.numerator) // per_part)


def paid_after(rate: RateSpec, paid_until: int, now: int, parts: int) -> int:
    """The moment until which all is paid for, once these parts went. Rounded up, so never too
    fast.
    """
    return max(paid_until, now) - (-parts * rate.denominator * MICROSECONDS // rate.numerator)


def owed(rate: RateSpec, paid_until: int, now: int) -> int:
    """Until when what went is paid for, as far as that can be: `now` where it lies further ahead.

    No claim owes more than its burst and one message. What is more was written by a clock that was
    set back since, and is no debt.
    """
    most = (rate.burst + PARTS_MAX) * rate.denominator * MICROSECONDS
    return paid_until if (paid_until - now) * rate.numerator <= most else now


class BatchFeed:
    """One loop for all batches with a rate."""

    def __init__(
        self,
        claims: Claims,
        connectors: Mapping[int, ConnectorDispatch],
        batches: BatchPace,
        *,
        ended: Ended,
    ) -> None:
        """`ended` is told when the loop has ended by itself, which it should not."""
        self._claims = claims
        self._connectors = connectors
        self._batches = batches
        self._cursor: dict[int, int] = {}
        self._pause = PAUSE_SECONDS_MAX
        self._since_rewind = 0.0
        self._task = PeriodicTask("batch feed", self._turn, self._pause_seconds, ended=ended)

    def start(self) -> None:
        """Start the loop."""
        self._task.start()

    async def stop(self) -> None:
        """Stop the loop. Nothing is let go any more."""
        await self._task.stop()

    async def _turn(self) -> None:
        if self._since_rewind >= REWIND_SECONDS:
            self._since_rewind = 0.0
            self._cursor.clear()
        self._pause = PAUSE_SECONDS_MAX
        for batch in self._batches.with_rate:
            await self._let_go(batch)
            assert batch.rate is not None
            self._pause = min(self._pause, _pause(batch.rate))

    def _pause_seconds(self) -> float:
        self._since_rewind += self._pause
        return self._pause

    async def _let_go(self, batch: LiveBatch) -> None:
        up = {number: each for number, each in self._connectors.items() if each.up}
        room = min((each.ready.room(Category.MARKETING) for each in up.values()), default=0)
        if room <= 0:
            return
        claim = _PaidRows(batch.id, self._cursor.get(batch.id, batch.id), list(up), room)
        found, messages = await self._claims.claim(claim.find)
        if not messages:
            return
        self._cursor[batch.id] = found[-1]["id"]
        connectors = {row["id"]: row["connector"] for row in found}
        by_connector: dict[int, list[ReadyMessage]] = {}
        for message in messages:
            message.let_go = True
            by_connector.setdefault(connectors[message.id], []).append(message)
        for connector, let_go in by_connector.items():
            if self._claims.hand_over(up[connector], let_go):
                self._cursor.pop(batch.id, None)


def _pause(rate: RateSpec) -> float:
    """Half of the time in which a burst is earned, so that no burst is lost to a full bucket."""
    if rate.paused:
        return PAUSE_SECONDS_MAX
    return min(PAUSE_SECONDS_MAX, max(PAUSE_SECONDS_MIN, rate.burst / rate.per_second / 2))


class _PaidRows:
    """One claim of a batch's messages: as many parts as may go now."""

    def __init__(self, batch: int, after: int, connectors: list[int], room: int) -> None:
        self._batch = batch
        self._after = after
        self._connectors = connectors
        self._room = room

    async def find(self, database: Connection) -> Sequence[asyncpg.Record]:
        row = await database.fetchrow(_SQL["batch_paid"], self._batch)
        if row is None:
            return ()  # another process is at it, or the batch was stopped meanwhile
        rate = parse_rate(row["rate"])
        # Microseconds from the row's own moment: nothing is rounded, and only the database's clock
        # counts.
        ahead = row["paid_until"] - row["now"]
        paid_until = owed(rate, ahead // timedelta(microseconds=1), 0)
        allowed = min(parts_allowed(rate, paid_until, 0), self._room)
        if allowed <= 0:
            return ()
        found = await database.fetch(
            _SQL["outbox_of_batch"],
            self._batch, self._after, row["until_id"], self._connectors,
            min(allowed, CLAIM_ROWS_MAX),
        )  # fmt: skip
        taken, parts = _fitting(found, allowed, full=allowed >= min(rate.burst, self._room))
        if taken:
            paid = paid_after(rate, paid_until, 0, parts)
            await database.execute(
                _SQL["batch_pay"], self._batch, row["now"] + timedelta(microseconds=paid)
            )
        return taken


def _fitting(
    found: Sequence[asyncpg.Record], allowed: int, *, full: bool
) -> tuple[Sequence[asyncpg.Record], int]:
    """The first rows whose parts are allowed.

    A message larger than the burst goes when nothing is owed. Those behind it pay for it.
    """
    parts = 0
    for position, row in enumerate(found):
        if parts + row["parts"] > allowed and not (full and position == 0):
            return found[:position], parts
        parts += row["parts"]
    return found, parts
