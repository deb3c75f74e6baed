"""How long messages took from acceptance to the receipt that says delivered.

Owns that histogram by connector and category: plain counts for /metrics. Must not read a clock. A
message's id says when it was accepted. A part counts once, when its status becomes delivered.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from datetime import datetime

import msgspec

from dlr.ledger import AppliedReceipt, SubmissionRow
from dlr.status import Status
from storage.ids import unix_ms_of

BUCKETS = (1.0, 5.0, 15.0, 60.0, 300.0, 3600.0, 21600.0, 86400.0)


class Taken(msgspec.Struct):
    """Counts by bucket, one more than BUCKETS, and the sum of seconds."""

    counts: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    seconds: float = 0.0


class DeliveryTime:
    """One for the process, since start."""

    def __init__(self) -> None:
        self.taken: dict[tuple[int, int], Taken] = {}  # by connector and category

    def observe(self, rows: Iterable[SubmissionRow], applied: Iterable[AppliedReceipt]) -> None:
        """What one commit stored: results whose receipt came with them, and receipts by
        themselves.
        """
        for row in rows:
            if row.receipt_at is not None and row.status == Status.DELIVERED:
                self._one(row.connector, row.category, row.message_id, row.receipt_at)
        for receipt in applied:
            told = receipt.row
            if receipt.changed and told.status == Status.DELIVERED:
                assert receipt.message_id is not None
                self._one(told.connector, receipt.category, receipt.message_id, told.received_at)

    def _one(self, connector: int, category: int, message_id: int, received_at: datetime) -> None:
        taken = self.taken.get((connector, category))
        if taken is None:
            taken = self.taken[connector, category] = Taken()
        seconds = max(0.0, received_at.timestamp() - unix_ms_of(message_id) / 1000)
        taken.counts[bisect_left(BUCKETS, seconds)] += 1
        taken.seconds += seconds
