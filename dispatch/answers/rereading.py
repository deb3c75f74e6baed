"""Kept receipts, read again: what a changed setting or a new release has made readable.

Owns that step, one transaction per batch, and its counts. Must not read octets itself
(dispatch/answers/receipt_reading.py does).

Each receipt is applied exactly once. It is marked in the transaction that applies it, and takes its
parked row with it. Where no submit is found it is parked again under the same id.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

import asyncpg
import msgspec

from dispatch.answers.pruning import Pruning
from dispatch.answers.receipt_reading import ReceiptReader
from dispatch.raw import rows
from dispatch.raw.reading import pdu_of
from dispatch.raw.unclear import Unclear
from dlr.changed import receipts_changed
from dlr.codes import CodesOfConnectors
from dlr.connector_groups import ConnectorGroups
from dlr.ledger import AppliedReceipt, apply_receipts, take_unmatched
from dlr.receipt_rows import ReceiptRow
from storage.crypto import NumberVault
from storage.ids import IdSource, time_of
from storage.pool import Connection

BATCH_ROWS = 500
CHANGES_MAX = 1_000  # listed one by one; all are counted
REASONS = (Unclear.PARKED, Unclear.UNREADABLE, Unclear.UNKNOWN_WORD)
# A carrier may use an id again: no receipt is about what was submitted after it came.
CLOCK_SLACK = timedelta(minutes=5)


class Change(msgspec.Struct, frozen=True):
    """A part whose status changed."""

    message_id: int
    part: int
    before: str
    after: str


class Reread(msgspec.Struct):
    """What became of the receipts looked at. Each is in one of the counts."""

    looked_at: int = 0
    changed: int = 0
    unchanged: int = 0  # applied before, or outranked
    waiting: int = 0  # readable, and of no submit that is known
    unknown_word: int = 0  # the connector's `receipt_states` does not tell what it means
    unreadable: int = 0
    lost: int = 0  # cut, or not to be opened
    changes: list[Change] = msgspec.field(default_factory=list)


class Rereading:
    """The rereading for one connector. `reader` is made anew for each batch, since it remembers."""

    def __init__(
        self,
        connector: int,
        *,
        reader: Callable[[], ReceiptReader],
        vault: NumberVault,
        ids: IdSource,
        groups: ConnectorGroups,
        codes: CodesOfConnectors,
    ) -> None:
        self._connector = connector
        self._reader = reader
        self._vault = vault
        self._ids = ids
        self._groups = groups
        self._pruning = Pruning(codes, vault=vault, ids=ids)
        self.found = Reread()

    async def batch(self, connection: Connection, span: tuple[int, int]) -> int | None:
        """Reread the next ones behind the place `span[0]`, in the caller's transaction.

        Returns where to go on, or None at the end.
        """
        found = await rows.lock_for_reread(connection, self._connector, span, REASONS, BATCH_ROWS)
        if not found:
            return None
        self.found.looked_at += len(found)
        frames = {row["id"]: self._frame(row) for row in found}
        self.found.lost += sum(frame is None for frame in frames.values())
        applied = await self._apply(connection, frames)
        await self._pruning.learn(connection, applied)
        await rows.mark_reread(connection, self._outcomes(applied))
        return found[-1]["id"] if len(found) == BATCH_ROWS else None

    def _frame(self, row: asyncpg.Record) -> bytes | None:
        return None if row["cut"] else self._vault.open_octets(row["body_enc"], row["id"])

    async def _apply(
        self, connection: Connection, frames: Mapping[int, bytes | None]
    ) -> list[AppliedReceipt]:
        """Apply these, but for those whose id led to a later submit. They stay parked."""
        later: set[int] = set()
        while True:
            tried, unknown = self._receipts({key: frames[key] for key in frames.keys() - later})
            savepoint = connection.transaction()
            await savepoint.start()
            await take_unmatched(connection, [row.parked_id for row in tried if row.parked_id])
            oldest = min((row.received_at for row in tried), default=None)
            applied = await apply_receipts(
                connection, tried, self._ids, now=oldest, groups=self._groups
            )
            wrong = {
                each.row.parked_id
                for each in applied
                if each.submission_id is not None
                and each.row.parked_id is not None
                and time_of(each.submission_id) > each.row.received_at + CLOCK_SLACK
            }
            if not wrong:
                await savepoint.commit()
                await receipts_changed(connection, applied, self._ids)
                break
            await savepoint.rollback()
            later |= wrong
        self.found.waiting += len(later)
        self.found.unknown_word += unknown
        return applied

    def _receipts(self, frames: Mapping[int, bytes | None]) -> tuple[list[ReceiptRow], int]:
        """(receipts that can be read, how many have a word that nobody knows yet).

        Each receipt has the id of its raw row as the one it is parked under.
        """
        reader = self._reader()
        read: list[ReceiptRow] = []
        unknown = 0
        for raw_id, frame in sorted(frames.items()):
            pdu = None if frame is None else pdu_of(frame)
            row = None if pdu is None else reader.row(pdu, time_of(raw_id))
            if row is None:
                continue
            if row.unknown_state is None:
                row.parked_id = raw_id
                read.append(row)
            else:
                unknown += 1
        return read, unknown

    def _outcomes(self, applied: Sequence[AppliedReceipt]) -> dict[int, str]:
        """Which are finished for good, and how. Counts all."""
        outcomes: dict[int, str] = {}
        for each in applied:
            raw_id = each.row.parked_id
            if not each.matched or raw_id is None:
                self.found.waiting += 1
            elif not each.changed or each.previous is None or each.message_id is None:
                self.found.unchanged += 1
                outcomes[raw_id] = "unchanged"
            else:
                change = Change(each.message_id, each.part, each.previous.label, each.status.label)
                self.found.changed += 1
                outcomes[raw_id] = f"{change.before} -> {change.after}"
                if len(self.found.changes) < CHANGES_MAX:
                    self.found.changes.append(change)
        return outcomes


def settled(found: Reread) -> Reread:
    """The sum, including those that nobody could read."""
    counted = found.changed + found.unchanged + found.waiting + found.unknown_word + found.lost
    return msgspec.structs.replace(found, unreadable=found.looked_at - counted)
