"""The writers of `submission` and `unmatched_receipt`.

Owns the statements that change these two tables, with `parked.py`, `silence.py`,
`recipient_match.py` and `in_doubt.py`. Must not decide what a receipt means (`dlr/receipt.py`,
`dlr/reasons.py`) nor what follows from it (`dlr/hygiene`).

Each function runs inside the caller's transaction. It needs one round trip per statement, for any
number of rows.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from datetime import datetime, timedelta

import asyncpg
import msgspec

from dlr.connector_groups import ALONE, ConnectorGroups
from dlr.reasons import Reason
from dlr.receipt_rows import JOIN_MINUTES, Parties, ReceiptRow
from dlr.receipt_targets import find_targets, is_open, split
from dlr.receipt_times import AFTER_ARRIVAL_MAX, BEFORE_SUBMIT_MAX
from dlr.status import Status, outranks
from dlr.ways import settle_ways
from dlr.whole_message import spread
from storage import sql
from storage.codecs import array_text
from storage.crypto import INDEX_BYTES
from storage.ids import IdSource, id_at

_SQL = sql.load("dlr")

# A carrier reports within the validity period: three days at most, by its own choice (SMPP 3.4
# section 5.2.16), and one to spare.
MATCH_DAYS = 4
ANY = 32_767  # above every status
LOOKS_MAX = 3  # at what another process changes at the same moment


class SubmissionRow(msgspec.Struct, gc=False):
    """One row of `submission`, column for column. Times are aware datetimes."""

    id: int
    message_id: int
    part: int
    parts: int
    account: int
    category: int
    connector: int
    status: int
    reason: int = 0
    error: str | None = None
    carrier_id: str | None = None
    submitted_at: datetime | None = None
    responded_at: datetime | None = None
    receipt_at: datetime | None = None
    done_at: datetime | None = None
    segments: int = 1  # parts that a phone gets of it
    way: int = 0  # dlr/ways.py


class AppliedReceipt(msgspec.Struct, gc=False):
    """What became of one ReceiptRow.

    Not `matched`: it is parked, and the ids are None. `changed`: it raised the status from
    `previous`. Of several receipts about one part in a call, the highest rank is stored. The others
    are unchanged.
    """

    row: ReceiptRow
    submission_id: int | None = None
    message_id: int | None = None
    part: int = 0
    parts: int = 0
    account: int = 0
    category: int = 0
    previous: Status | None = None
    matched: bool = False
    changed: bool = False
    date_believed: bool = True  # else the arrival is stored in its place
    others: int = 0  # other parts of the message that it raised too, being about all of them
    way: int = 0  # of the submit that it is about
    replaced: bool = False  # another way counted, until now
    withheld: bool = False  # not told: the message goes by another way, or may yet

    @property
    def status(self) -> Status:
        """What the receipt said."""
        return Status(self.row.status)

    @property
    def reason(self) -> Reason:
        """Why, as the receipt said."""
        return Reason(self.row.reason)

    @property
    def error(self) -> str | None:
        """The carrier's own code."""
        return self.row.error


_COLUMNS = SubmissionRow.__struct_fields__


async def insert_submissions(
    connection: asyncpg.Connection, rows: Sequence[SubmissionRow], *, again: bool = False
) -> Sequence[SubmissionRow]:
    """Store results, in the caller's transaction. Answers with those that did not stand before.

    Raises asyncpg.UniqueViolationError for an id that is there. With `again`, some may be there: it
    repeats a COMMIT in doubt.
    """
    if not rows:
        return rows
    records = [msgspec.structs.astuple(row) for row in rows]
    if again:
        columns = zip(*records, strict=True)
        new = {row[0] for row in await connection.fetch(_SQL["submission_insert_again"], *columns)}
        rows = [row for row in rows if row.id in new]
    else:
        await connection.copy_records_to_table("submission", records=records, columns=_COLUMNS)
    await settle_ways(connection, {row.message_id for row in rows if row.way})
    return rows


async def retract_unsent(connection: asyncpg.Connection, message_ids: Sequence[int]) -> None:
    """Delete the rows of part 0 of these messages: their accept turned out not to have happened.

    Nothing of such a message was ever sent, so a row of another part is left alone.
    """
    if message_ids:
        await connection.execute(_SQL["submission_retract"], message_ids, min(message_ids))


async def add_words(
    connection: asyncpg.Connection,
    messages: Sequence[tuple[int, int]],
    status: Status,
    words: str,
) -> list[int]:
    """Say why these (message, account) have ended as `status` without the wire, where nothing is
    said yet. Answers with the messages of which it is said now.
    """
    rows = await connection.fetch(
        _SQL["submission_word"], *map(list, zip(*messages, strict=True)), status, words
    )
    return [row["message_id"] for row in rows]


async def apply_receipts(
    connection: asyncpg.Connection,
    rows: Sequence[ReceiptRow],
    ids: IdSource,
    *,
    now: datetime | None = None,
    groups: ConnectorGroups = ALONE,
) -> list[AppliedReceipt]:
    """Match receipts to submissions and raise their status; park what matches nothing.

    Returns what became of each, in order. One statement does where each is the first verdict about
    the submit remembered under its id. The others are looked up, in their order. Matching looks
    back MATCH_DAYS from `now` (default: the latest received_at). What was found is written into the
    rows.
    """
    if not rows:
        return []
    now = now or max(row.received_at for row in rows)
    applied = [AppliedReceipt(row) for row in rows]
    direct, asked = split(rows)
    wanted = [applied[position] for position in asked]
    if direct:
        told = [applied[position] for position in direct]
        guessed = {each.row.submission_id for each in told if not each.row.certain}
        wanted += await _apply(connection, told, guessed)
    horizon = id_at(now - timedelta(days=MATCH_DAYS))
    for _ in range(LOOKS_MAX):
        if wanted:
            looked = [receipt.row for receipt in wanted]
            open_only = await find_targets(connection, looked, horizon, now, groups)
            found = [receipt for receipt in wanted if receipt.row.submission_id is not None]
            wanted = await _apply(connection, found, open_only) if found else []
    if groups.receipts_per_message:
        await _spread(connection, applied, groups)
    await settle_ways(connection, _delivered_with_several_ways(applied))
    unmatched = [receipt.row for receipt in applied if not receipt.matched]
    if unmatched:
        await _park(connection, unmatched, ids)
    return applied


async def join_unmatched(
    connection: asyncpg.Connection,
    pairs: Sequence[tuple[int, str]],
    *,
    now: datetime | None = None,
) -> list[ReceiptRow]:
    """Delete and return the parked receipts of these (connector, carrier id) pairs.

    Called in the transaction that inserts the submissions. Give the result to apply_receipts.
    Receipts that came more than JOIN_MINUTES before `now` (default: the database's clock) stay.
    """
    if not pairs:
        return []
    found = await connection.fetch(
        _SQL["unmatched_join"],
        [connector for connector, _ in pairs],
        [carrier_id for _, carrier_id in pairs],
        now,
        timedelta(minutes=JOIN_MINUTES),
    )
    return [unparked(record) for record in found]


async def take_unmatched(connection: asyncpg.Connection, parked_ids: Sequence[int]) -> None:
    """Delete these, as far as they are parked: the caller applies them anew."""
    await connection.execute(_SQL["unmatched_take"], parked_ids)


async def _apply(
    connection: asyncpg.Connection,
    applied: Sequence[AppliedReceipt],
    open_only: Set[int | None],
) -> list[AppliedReceipt]:
    """Apply with one UPDATE, and fill in what became of each. Returns those that have to be looked
    up.

    Submits in `open_only` are raised only while they are open. Such a one was not, or another
    process was quicker.
    """
    best: dict[int, AppliedReceipt] = {}
    for receipt in applied:
        target = receipt.row.submission_id
        assert target is not None
        other = best.get(target)
        if other is None or outranks(receipt.row.status, other.row.status):
            best[target] = receipt
    # By id, so that two writers lock the rows in the same order and cannot deadlock.
    ordered = sorted(best)
    deciding = [best[target].row for target in ordered]
    records = await connection.fetch(
        _SQL["submission_apply"],
        array_text(ordered),
        array_text([row.status for row in deciding]),
        array_text([row.reason for row in deciding]),
        [row.error for row in deciding],
        [row.done_at for row in deciding],
        [row.received_at for row in deciding],
        ordered[0],
        ordered[-1],
        array_text([Status.UNKNOWN if target in open_only else ANY for target in ordered]),
        BEFORE_SUBMIT_MAX,
        AFTER_ARRIVAL_MAX,
    )
    present = {record[0]: record for record in records}
    missed: list[AppliedReceipt] = []
    for receipt in applied:
        target = receipt.row.submission_id
        record = present.get(target)
        if record is None:  # remembered by the sender, but its partition is gone
            if target in open_only:
                missed.append(receipt)
            continue
        status, changed = Status(record[6]), record[7] and best[record[0]] is receipt
        if target in open_only:
            deciding_one = best[record[0]] is receipt and outranks(receipt.row.status, status)
            if not is_open(status) or (deciding_one and not changed):
                missed.append(receipt)
                continue
        receipt.row.certain = receipt.matched = True
        (
            receipt.submission_id, receipt.message_id, receipt.part, receipt.parts,
            receipt.account, receipt.category, _, _, done_at, receipt.way, receipt.replaced,
        ) = record  # fmt: skip
        receipt.previous, receipt.changed = status, changed
        receipt.date_believed = not changed or done_at == receipt.row.done_at
    return missed


def _delivered_with_several_ways(applied: Sequence[AppliedReceipt]) -> set[int]:
    return {
        receipt.message_id
        for receipt in applied
        if (receipt.way or receipt.replaced)
        and receipt.changed
        and receipt.row.status == Status.DELIVERED
        and receipt.message_id is not None
    }


async def _spread(
    connection: asyncpg.Connection, applied: Sequence[AppliedReceipt], groups: ConnectorGroups
) -> None:
    """What a receipt said of a part, applied to its whole message."""
    about = {
        receipt.message_id: receipt
        for receipt in applied
        if receipt.message_id is not None and receipt.changed and receipt.parts > 1
    }
    raised = await spread(connection, list(about), groups)
    for (message_id, _, _), count in raised.items():
        about[message_id].others += count


async def _park(connection: asyncpg.Connection, rows: Sequence[ReceiptRow], ids: IdSource) -> None:
    parties = [Parties(None, "") if row.parties is None else row.parties() for row in rows]
    for row, parked_id in zip(rows, ids.take(len(rows)), strict=True):
        row.parked_id = row.parked_id or parked_id
    await connection.execute(
        _SQL["unmatched_park"],
        [row.parked_id for row in rows],
        [row.connector for row in rows],
        [row.carrier_id for row in rows],
        [row.status for row in rows],
        [row.reason for row in rows],
        [row.error for row in rows],
        [row.done_at for row in rows],
        [row.received_at for row in rows],
        [each.to_idx for each in parties],
        [each.sender for each in parties],
        [row.unknown_state for row in rows],
        [row.reference_id for row in rows],
        [b"".join(each.other_idx) or None for each in parties],
    )


def unparked(record: asyncpg.Record, submission_id: int | None = None) -> ReceiptRow:
    """A parked receipt as it came. `submission_id` where it is known by now."""
    others = record["other_idx"] or b""
    parties = Parties(
        record["to_idx"],
        record["sender"],
        [others[start : start + INDEX_BYTES] for start in range(0, len(others), INDEX_BYTES)],
    )
    return ReceiptRow(
        connector=record["connector"],
        carrier_id=record["carrier_id"],
        submission_id=submission_id,
        status=record["status"],
        reason=record["reason"],
        error=record["error"],
        done_at=record["done_at"],
        received_at=record["received_at"],
        parties=lambda: parties,
        certain=submission_id is not None,
        reference_id=record["reference_id"],
        unknown_state=record["unknown_state"],
    )
