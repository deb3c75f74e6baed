"""What changed and may have to be told, written down in the transaction that makes it true.

Owns the rows of `webhook_change` as they are put in. A transaction puts in one, whatever the number
of changes: so the recorder pays a few microseconds an event. Who is told, and the octets, are
found out afterwards (fan_out.py). Must not know endpoints: whether anybody wants to hear is asked
of `Wanted`, or of the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from dlr.ledger import AppliedReceipt, SubmissionRow
from dlr.status import Status
from storage import sql
from storage.ids import IdSource, unix_ms_of
from storage.pool import Connection

_SQL = sql.load("dlr")
CHANGES_PER_ROW_MAX = 2_000
LOOK = 0  # in place of a status: the message's rows say it

_encode = msgspec.json.Encoder().encode

# account -> codes of the statuses that somebody wants to hear of; None: not known for sure.
Wanted = Callable[[], Mapping[int, frozenset[int]] | None]


class Change(msgspec.Struct, array_like=True, gc=False, omit_defaults=True):
    """A message has another status. Of one part and one way: `status` and `previous` are those of
    the message, as of this change. LOOK: its parts have to be read.
    """

    message: int
    account: int
    at: int  # ms since the epoch
    status: int = LOOK
    previous: int = 0
    reason: int = 0
    error: str | None = None
    done_at: int | None = None


class Happened(msgspec.Struct, array_like=True, gc=False, omit_defaults=True):
    """Any other event. `account` 0: of all. `number`: sealed; it stands in `data` under the field
    `number_field`, masked.
    """

    type: str
    account: int
    at: int
    data: msgspec.Raw
    subject: int = 0
    number: bytes | None = None
    number_field: str = "number"
    spared: int = 0  # the endpoint that it is about: it is told to the others


class Noted(msgspec.Struct, array_like=True):
    """One row."""

    messages: list[Change] = msgspec.field(default_factory=list)
    others: list[Happened] = msgspec.field(default_factory=list)


decode = msgspec.json.Decoder(Noted).decode


class ChangeLog:
    """What the recorder writes down, by what this process knows of who wants to hear.

    That knowledge may be a second old; an endpoint hears of everything from then on
    (subscriptions.py). Where it is older, the database is asked in the statement itself.
    """

    def __init__(self, ids: IdSource, wanted: Wanted, noted: Callable[[], None]) -> None:
        """`noted` is told after a commit that wrote something down."""
        self._ids = ids
        self._wanted = wanted
        self.noted = noted

    async def put(
        self,
        connection: Connection,
        rows: Sequence[SubmissionRow],
        applied: Sequence[AppliedReceipt],
    ) -> bool:
        """These results and receipts, in the caller's transaction; whether anything was written."""
        wanted = self._wanted()
        if wanted is not None and not wanted:
            return False
        row_id = self._ids.next()
        changes = _of_rows(rows, wanted, unix_ms_of(row_id))
        changes += _of_receipts(applied, wanted)
        if not changes:
            return False
        await _put(connection, row_id, Noted(changes), sure=wanted is not None)
        return True


async def tell_rows(connection: Connection, rows: Sequence[SubmissionRow], ids: IdSource) -> None:
    """These results, if anybody wants to hear: for transactions off the hot way."""
    await _tell(connection, _of_rows(rows, None, unix_ms_of(ids.next())), ids)


async def tell_receipts(
    connection: Connection, applied: Sequence[AppliedReceipt], ids: IdSource
) -> None:
    """What these receipts changed, if anybody wants to hear."""
    await _tell(connection, _of_receipts(applied, None), ids)


async def tell_messages(
    connection: Connection, messages: Iterable[tuple[int, int]], ids: IdSource
) -> None:
    """(message, account) of messages whose rows have changed, if anybody wants to hear."""
    at = unix_ms_of(ids.next())
    await _tell(connection, [Change(*each, at) for each in dict.fromkeys(messages)], ids)


async def tell(connection: Connection, happened: Sequence[Happened], ids: IdSource) -> None:
    """Anything else, if anybody wants to hear."""
    for start in range(0, len(happened), CHANGES_PER_ROW_MAX):
        slice_ = list(happened[start : start + CHANGES_PER_ROW_MAX])
        await _put(connection, ids.next(), Noted([], slice_), sure=False)


class MessageEvent(msgspec.Struct, frozen=True):
    """Something else that happened to a message."""

    message: int
    at: datetime
    data: Mapping[str, object]


async def tell_of_messages(
    connection: Connection, kind: str, events: Sequence[MessageEvent], ids: IdSource
) -> None:
    """Events of this type, each for the account of its message."""
    asked = sorted({event.message for event in events})
    if not asked:
        return
    rows = await connection.fetch(_SQL["webhook_accounts"], asked, asked[0], asked[-1])
    accounts = {row["id"]: row["account"] for row in rows}
    found = [
        happened(kind, accounts[each.message], each.at, each.data, subject=each.message)
        for each in events
        if each.message in accounts
    ]
    await tell(connection, found, ids)


def happened(
    kind: str,
    account: int,
    at: datetime,
    data: Mapping[str, object],
    *,
    subject: int = 0,
    number: bytes | None = None,
    number_field: str = "number",
    spared: int = 0,
) -> Happened:
    """An event of this type; `data` without the number."""
    return Happened(
        kind, account, _ms(at), msgspec.Raw(_encode(data)), subject, number, number_field, spared
    )


def _of_rows(
    rows: Sequence[SubmissionRow], wanted: Mapping[int, frozenset[int]] | None, now_ms: int
) -> list[Change]:
    changes: list[Change] = []
    nobody: frozenset[int] = frozenset()
    for row in rows:
        look = row.parts > 1 or row.way > 0
        if wanted is not None:
            statuses = wanted.get(row.account, nobody)
            if not statuses or (not look and row.status not in statuses):
                continue
        if look:
            changes.append(Change(row.message_id, row.account, now_ms))
            continue
        at = row.receipt_at or row.responded_at
        changes.append(
            Change(
                row.message_id, row.account, now_ms if at is None else _ms(at), row.status, 0,
                row.reason, row.error, None if row.done_at is None else _ms(row.done_at),
            )
        )  # fmt: skip
    return changes


def _of_receipts(
    applied: Sequence[AppliedReceipt], wanted: Mapping[int, frozenset[int]] | None
) -> list[Change]:
    changes: list[Change] = []
    nobody: frozenset[int] = frozenset()
    for each in applied:
        message, row = each.message_id, each.row
        if not each.changed or message is None or each.withheld:
            continue
        if each.replaced and row.status != Status.DELIVERED:
            continue  # what became of a way that does not count
        look = each.parts > 1 or each.way > 0 or each.replaced
        if wanted is not None:
            statuses = wanted.get(each.account, nobody)
            if not statuses or (not look and row.status not in statuses):
                continue
        at = _ms(row.received_at)
        if look:
            changes.append(Change(message, each.account, at))
            continue
        done_at = row.done_at if each.date_believed else row.received_at
        changes.append(
            Change(
                message, each.account, at, row.status, int(each.previous or 0), row.reason,
                row.error, None if done_at is None else _ms(done_at),
            )
        )  # fmt: skip
    return changes


async def _tell(connection: Connection, changes: Sequence[Change], ids: IdSource) -> None:
    for start in range(0, len(changes), CHANGES_PER_ROW_MAX):
        slice_ = list(changes[start : start + CHANGES_PER_ROW_MAX])
        await _put(connection, ids.next(), Noted(slice_), sure=False)


async def _put(connection: Connection, row_id: int, noted: Noted, *, sure: bool) -> None:
    statement = _SQL["webhook_change_put" if sure else "webhook_change_put_if_wanted"]
    await connection.execute(statement, row_id, _encode(noted))


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def instant(ms: int) -> datetime:
    """Back from what stands in a change."""
    return datetime.fromtimestamp(ms / 1000, UTC)
