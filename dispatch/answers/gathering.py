"""The records of one flush, sorted by what has to be written of them.

Owns the sorting, and a receipt that came in the same flush as its result: it becomes part of that
row. Must not write anything (recorder.py does).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from dispatch.answers.records import (
    LateResult,
    MessageDone,
    PartResult,
    ReceiptArrived,
    Record,
    StateLearned,
)
from dispatch.journey import Intent
from dispatch.raw.kept import Kept
from dlr.changed import messages_of
from dlr.ledger import AppliedReceipt, SubmissionRow
from dlr.receipt_rows import ReceiptRow
from dlr.receipt_targets import is_open
from dlr.receipt_times import plausible
from dlr.status import outranks
from smpp.client import Bind
from smpp.events import Delivery
from storage.events import Event


class Gathered(msgspec.Struct):
    """The records of one flush, sorted by what has to be written."""

    rows: list[SubmissionRow] = msgspec.field(default_factory=list)
    late: list[SubmissionRow] = msgspec.field(default_factory=list)
    receipts: list[ReceiptRow] = msgspec.field(default_factory=list)
    done_ids: list[int] = msgspec.field(default_factory=list)
    done_ways: list[int] = msgspec.field(default_factory=list)  # by which way each of these went
    retries: list[MessageDone] = msgspec.field(default_factory=list)
    intents: dict[int, tuple[Intent, int]] = msgspec.field(default_factory=dict)
    events: list[Event] = msgspec.field(default_factory=list)
    answers: dict[Bind, list[Delivery]] = msgspec.field(default_factory=dict)
    joined: int = 0  # parked receipts that these results brought back
    spread: Counter[tuple[int, int, int]] = msgspec.field(default_factory=Counter)
    disbelieved: list[int] = msgspec.field(default_factory=list)  # connectors of such dates
    kept: list[Kept] = msgspec.field(default_factory=list)
    ways_ended: list[tuple[int, int]] = msgspec.field(default_factory=list)  # message, account
    folded: list[tuple[int, int]] = msgspec.field(default_factory=list)  # written with their row


def gather(records: Sequence[Record]) -> Gathered:
    """Sort these."""
    gathered = Gathered()
    for record in records:
        if isinstance(record, ReceiptArrived):
            gathered.receipts.append(record.row)
            gathered.answers.setdefault(record.bind, []).append(record.delivery)
            if record.kept is not None:
                gathered.kept.append(record.kept)
        elif isinstance(record, StateLearned):
            gathered.receipts.append(record.row)
        elif isinstance(record, PartResult):
            gathered.rows.append(record.row)
        elif isinstance(record, LateResult):
            gathered.late.append(record.row)
        else:
            _gather_done(gathered, record)
    return gathered


def _gather_done(gathered: Gathered, done: MessageDone) -> None:
    gathered.rows += done.rows
    if done.way_ended:
        gathered.ways_ended.append((done.message_id, done.way_ended))
    if done.event is not None:
        gathered.events.append(done.event)
    if done.rerouted is not None:
        gathered.events.append(done.rerouted)
    if done.retry_at is not None:
        gathered.retries.append(done)
    elif not done.requeued:
        gathered.done_ids.append(done.message_id)
        gathered.done_ways.append(done.way)
    if done.intent is not None:
        intent, finished = gathered.intents.get(done.intent.id, (done.intent, 0))
        gathered.intents[intent.id] = (intent, finished + 1)


def fold_receipts(gathered: Gathered) -> None:
    """Merge a receipt into the row of its result, if both are in this flush: one write, not two."""
    if not gathered.receipts or not gathered.rows:
        return
    rows: dict[int | None, SubmissionRow] = {row.id: row for row in gathered.rows}
    left: list[ReceiptRow] = []
    for receipt in gathered.receipts:
        row = rows.get(receipt.submission_id)
        if (
            row is None
            or not (receipt.certain or is_open(row.status))
            or receipt.unknown_state is not None
        ):
            left.append(receipt)
            continue
        receipt.certain = True  # also when the transaction runs once more
        gathered.folded.append((receipt.connector, receipt.status))
        if outranks(receipt.status, row.status):
            row.status = receipt.status
            row.reason = receipt.reason
            row.error = receipt.error
            row.done_at = plausible(receipt.done_at, row.submitted_at, receipt.received_at)
            if row.done_at is not receipt.done_at:
                gathered.disbelieved.append(receipt.connector)
            row.receipt_at = receipt.received_at
    gathered.receipts = left


def changed_messages(gathered: Gathered, applied: Sequence[AppliedReceipt]) -> set[int]:
    """The messages that are not what they were."""
    changed = {row.message_id for row in (*gathered.rows, *gathered.late)}
    changed.update(gathered.done_ids, messages_of(applied))
    return changed.union(message for message, _, _ in gathered.spread)
