"""Each part that is delivered counts once, from its acceptance to its receipt."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dispatch.answers.delivery_time import BUCKETS, DeliveryTime
from dlr.ledger import AppliedReceipt, SubmissionRow
from dlr.receipt_rows import ReceiptRow
from dlr.status import Status
from storage.ids import id_at

ACCEPTED = datetime(2026, 12, 1, tzinfo=UTC)
MESSAGE = id_at(ACCEPTED) + 7
CONNECTOR, CATEGORY = 3, 2


def result(status: Status, after: float | None) -> SubmissionRow:
    at = None if after is None else ACCEPTED + timedelta(seconds=after)
    return SubmissionRow(1, MESSAGE, 1, 1, 1, CATEGORY, CONNECTOR, status, receipt_at=at)


def receipt(status: Status, after: float, *, changed: bool) -> AppliedReceipt:
    at = ACCEPTED + timedelta(seconds=after)
    row = ReceiptRow(CONNECTOR, "id", None, status, 0, None, None, at)
    return AppliedReceipt(row, message_id=MESSAGE, category=CATEGORY, matched=True, changed=changed)


def test_what_is_delivered_counts_in_its_bucket() -> None:
    told = DeliveryTime()
    told.observe(
        [result(Status.DELIVERED, 0.5), result(Status.DELIVERED, None), result(Status.SENT, None)],
        [receipt(Status.DELIVERED, 61, changed=True), receipt(Status.DELIVERED, 9e6, changed=False),
         receipt(Status.UNDELIVERED, 5, changed=True)],
    )  # fmt: skip
    (key, taken), *others = told.taken.items()
    assert (key, others) == ((CONNECTOR, CATEGORY), [])
    wanted = [0] * (len(BUCKETS) + 1)
    wanted[0] = wanted[4] = 1
    assert taken.counts == wanted
    assert taken.seconds == pytest.approx(61.5)


def test_what_takes_longer_than_any_bound_and_what_seems_to_come_before_counts_too() -> None:
    told = DeliveryTime()
    told.observe([result(Status.DELIVERED, BUCKETS[-1] + 1), result(Status.DELIVERED, -5)], [])
    (taken,) = told.taken.values()
    assert (taken.counts[0], taken.counts[-1]) == (1, 1)
    assert taken.seconds == BUCKETS[-1] + 1
