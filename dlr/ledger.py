"""The writers of `submission` and `unmatched_receipt`.

Owns the statements that change these two tables, with `recipient_match.py` and `in_doubt.py`. Each
function runs inside the caller's transaction and needs one round trip per statement, whatever the
number of rows. Must not decide what a receipt means (`dlr/receipt.py`, `dlr/reasons.py`) nor what
follows from it (`dlr/hygiene.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import asyncpg
import msgspec

from dlr.connector_groups import ALONE, ConnectorGroups
from dlr.reasons import Reason
from dlr.status import Status, outranks
from storage import sql
from storage.codecs import array_text
from storage.ids import IdSource, id_at

_SQL = sql.load(__package__)

# A carrier reports within the validity period, three days at most (SMPP 3.4, 5.2.16: its own
# choice), and one to spare.
MATCH_DAYS = 4
# A submit_sm_resp is awaited for a minute; a parked receipt older than this belongs to an earlier
# use of its carrier id.
JOIN_MINUTES = 60
SWEEP_ROWS_MAX = 500
PURGE_ROWS_MAX = 10_000
UNKNOWN_AFTER_HOURS = 72
GIVE_UP_ROWS = 2_000


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


class ReceiptRow(msgspec.Struct, gc=False):
    """One receipt, decided and ready to be stored.

    `carrier_id` normalised as the connector's submissions are; `alternate_id` is the other id of a
    receipt whose TLV and text disagree (E7), tried when `carrier_id` matches nothing.
    `submission_id` when the sender remembered it; `reference_id` the submission that something else
    than an id points to, believed when no id matches.
    """

    connector: int
    carrier_id: str
    submission_id: int | None
    status: int
    reason: int
    error: str | None
    done_at: datetime | None
    received_at: datetime
    alternate_id: str | None = None
    reference_id: int | None = None
    # Asked only of what is parked: the recipient's index, None if unknown, and the sender texted.
    parties: Callable[[], tuple[bytes | None, str]] | None = None


class AppliedReceipt(msgspec.Struct, gc=False):
    """What became of one ReceiptRow.

    Not `matched`: parked, the ids are None. `changed`: it raised the status from `previous`. Of
    several receipts in one call that say something about the same part, the one that ranks highest
    is stored and the others are unchanged.
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
) -> None:
    """Store results. `again`: after a COMMIT in doubt, where some of these rows may already stand.

    The caller's transaction; raises asyncpg.UniqueViolationError for an id that is there, unless
    `again`.
    """
    if not rows:
        return
    records = [msgspec.structs.astuple(row) for row in rows]
    if again:
        await connection.execute(_SQL["submission_insert_again"], *zip(*records, strict=True))
    else:
        await connection.copy_records_to_table("submission", records=records, columns=_COLUMNS)


async def retract_unsent(connection: asyncpg.Connection, message_ids: Sequence[int]) -> None:
    """Take back the rows of part 0 of these messages: their accept turned out not to have been.

    Nothing of such a message was ever sent, so a row of another part is left alone.
    """
    if message_ids:
        await connection.execute(_SQL["submission_retract"], message_ids, min(message_ids))


async def apply_receipts(
    connection: asyncpg.Connection,
    rows: Sequence[ReceiptRow],
    ids: IdSource,
    *,
    now: datetime | None = None,
    groups: ConnectorGroups = ALONE,
) -> list[AppliedReceipt]:
    """Match receipts to submissions and raise their status; park what matches nothing. Answers row
    by row, in order.

    At most four statements: match by carrier id, match by alternate id, update, park. Matching by
    carrier id looks back MATCH_DAYS from `now` (default: the latest received_at).
    """
    if not rows:
        return []
    horizon = id_at((now or max(row.received_at for row in rows)) - timedelta(days=MATCH_DAYS))
    targets = await _targets(connection, rows, horizon, groups)
    applied = [AppliedReceipt(row) for row in rows]
    known = {target for target in targets if target is not None}
    if known:
        await _apply(connection, applied, targets)
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
    """Take out and return the parked receipts of these (connector, carrier id) pairs.

    Called in the transaction that inserts the submissions, before apply_receipts is given what this
    returns. Receipts that came more than JOIN_MINUTES before `now` (default: the database's clock)
    stay.
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


async def sweep_unmatched(
    connection: asyncpg.Connection,
    older_than: datetime,
    ids: IdSource,
    *,
    groups: ConnectorGroups = ALONE,
) -> list[AppliedReceipt]:
    """Apply parked receipts whose submission is there by now; returns them, at most SWEEP_ROWS_MAX.

    A receipt parked by one session while another commits its submission is seen by neither; this
    finds it. Looks at receipts parked before `older_than` and not more than JOIN_MINUTES before it.
    """
    found = await connection.fetch(
        _SQL["unmatched_sweep"],
        id_at(older_than - timedelta(minutes=JOIN_MINUTES)),
        id_at(older_than),
        id_at(older_than - timedelta(days=MATCH_DAYS)),
        SWEEP_ROWS_MAX,
        *groups.pairs(),
    )
    return await apply_receipts(
        connection, [unparked(record) for record in found], ids, now=older_than, groups=groups
    )


async def purge_unmatched(connection: asyncpg.Connection, now: datetime) -> int:
    """Delete parked receipts older than MATCH_DAYS; returns how many, at most PURGE_ROWS_MAX."""
    before = id_at(now - timedelta(days=MATCH_DAYS))
    answer = await connection.execute(_SQL["unmatched_purge"], before, PURGE_ROWS_MAX)
    return _affected(answer)


class GivenUp(msgspec.Struct, frozen=True):
    """`cursor`: where to go on, None at the end. `changed`: parts that became unknown."""

    cursor: int | None
    changed: int


async def give_up(
    connection: asyncpg.Connection,
    cursor: int,
    now: datetime,
    *,
    after_hours: int = UNKNOWN_AFTER_HOURS,
) -> GivenUp:
    """Parts sent more than `after_hours` ago without a final receipt become unknown.

    Looks at GIVE_UP_ROWS parts from `cursor` (a submission id) on; the caller goes on with the
    cursor returned. A late receipt still upgrades an unknown part.
    """
    until = id_at(now - timedelta(hours=after_hours))
    record = await connection.fetchrow(
        _SQL["submission_give_up"],
        cursor,
        until,
        GIVE_UP_ROWS,
        Status.SENT,
        Status.UNKNOWN,
        Reason.UNKNOWN,
    )
    assert record is not None  # an aggregate always has one row
    return GivenUp(cursor=record["cursor"], changed=record["changed"])


async def _targets(
    connection: asyncpg.Connection,
    rows: Sequence[ReceiptRow],
    horizon: int,
    groups: ConnectorGroups,
) -> list[int | None]:
    """The submission id of each row, or None. Of a group, the connector it came on goes first."""
    targets = [row.submission_id for row in rows]
    for attribute in ("carrier_id", "alternate_id"):
        wanted = {
            (connector, getattr(row, attribute)): None
            for row, target in zip(rows, targets, strict=True)
            if target is None and getattr(row, attribute)
            for connector in groups.of(row.connector)
        }
        if not wanted:
            continue
        found = await _match(connection, list(wanted), horizon)
        for index, row in enumerate(rows):
            if targets[index] is None:
                keys = [
                    (connector, getattr(row, attribute)) for connector in groups.of(row.connector)
                ]
                targets[index] = next((found[key] for key in keys if key in found), None)
    return [
        row.reference_id if target is None else target
        for row, target in zip(rows, targets, strict=True)
    ]


async def _match(
    connection: asyncpg.Connection, wanted: Sequence[tuple[int, str]], horizon: int
) -> Mapping[tuple[int, str | None], int]:
    records = await connection.fetch(
        _SQL["submission_match"],
        [connector for connector, _ in wanted],
        [carrier_id for _, carrier_id in wanted],
        horizon,
        Status.UNKNOWN,
    )
    return {wanted[record["position"] - 1]: record["id"] for record in records}


async def _apply(
    connection: asyncpg.Connection,
    applied: Sequence[AppliedReceipt],
    targets: Sequence[int | None],
) -> None:
    """One UPDATE for all; fills in what became of each."""
    best: dict[int, AppliedReceipt] = {}
    for receipt, target in zip(applied, targets, strict=True):
        if target is None:
            continue
        receipt.submission_id = target
        other = best.get(target)
        if other is None or outranks(receipt.row.status, other.row.status):
            best[target] = receipt
    # By id, so that two writers meet the same rows in the same order and cannot deadlock.
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
    )
    present = {record[0]: record for record in records}
    for receipt in applied:
        if receipt.submission_id is None:
            continue
        record = present.get(receipt.submission_id)
        if record is None:  # remembered by the sender, but its partition is gone
            receipt.submission_id = None
            continue
        receipt.matched = True
        (
            _, receipt.message_id, receipt.part, receipt.parts, receipt.account, receipt.category,
            status, changed,
        ) = record  # fmt: skip
        receipt.previous = Status(status)
        receipt.changed = changed and best[receipt.submission_id] is receipt


async def _park(connection: asyncpg.Connection, rows: Sequence[ReceiptRow], ids: IdSource) -> None:
    parties = [(None, "") if row.parties is None else row.parties() for row in rows]
    await connection.execute(
        _SQL["unmatched_park"],
        ids.take(len(rows)),
        [row.connector for row in rows],
        [row.carrier_id for row in rows],
        [row.status for row in rows],
        [row.reason for row in rows],
        [row.error for row in rows],
        [row.done_at for row in rows],
        [row.received_at for row in rows],
        [to_idx for to_idx, _ in parties],
        [sender for _, sender in parties],
    )


def unparked(record: asyncpg.Record, submission_id: int | None = None) -> ReceiptRow:
    """A parked receipt as it came; `submission_id` where it is known by now."""
    return ReceiptRow(
        connector=record["connector"],
        carrier_id=record["carrier_id"],
        submission_id=submission_id,
        status=record["status"],
        reason=record["reason"],
        error=record["error"],
        done_at=record["done_at"],
        received_at=record["received_at"],
    )


def _affected(command_tag: str) -> int:
    """The row count of a command tag such as `DELETE 12`."""
    return int(command_tag.rsplit(" ", 1)[1])
