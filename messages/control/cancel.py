"""Single messages that their sender cancels.

Owns the transaction of a cancel. The outbox row goes and status `canceled` is written, while no
intent can be. Must not decide what the API says when it is too late.

A message may be canceled already, with its batch. It is on record then that it was canceled by
itself as well: a campaign that sends its batch anew leaves it out. Where one went in its place
already, that is canceled: who cancels a message means what the person would get.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import asyncpg
import msgspec

from dispatch.outbox.without_wire import row_without_wire
from dlr.changed import rows_changed
from dlr.ledger import SubmissionRow, add_words, insert_submissions
from dlr.rollups.naming import name_changed
from dlr.status import Status
from storage import audit, sql
from storage.audit import AuditEntry
from storage.group_commit import GroupCommit
from storage.ids import IdSource
from storage.one_commit import committed
from storage.pool import Connection, Dedicated

_SQL = sql.load("messages")
BY_ITSELF = "it was canceled by itself"  # and not its batch
CANCELS_PER_FLUSH_MAX = 200
CANCELS_WAITING_MAX = 2_000

_Wanted = tuple[int, int]  # message, account
_Asked = tuple[int, int, str]  # and who wants it


class SentAnew(Protocol):
    """What knows which messages went in the place of others that were recalled."""

    async def __call__(
        self, connection: Connection, messages: Sequence[int], /
    ) -> Mapping[int, Sequence[int]]:
        """Of those that have such: the stored ones, the latest last. In the caller's
        transaction.
        """


class CancelOutcome(msgspec.Struct, frozen=True):
    """`canceled`: now, and certainly not on the wire. `latest`: the message that stands for the one
    that was named; itself, unless another went in its place.
    """

    canceled: bool
    latest: int


class MessageCanceler:
    """Cancels messages. Many share one commit, since intents wait meanwhile."""

    def __init__(self, dedicated: Dedicated, ids: IdSource, *, sent_anew: SentAnew) -> None:
        self._dedicated = dedicated
        self._ids = ids
        self._sent_anew = sent_anew
        self.canceled = 0
        self.commits: GroupCommit[_Asked, CancelOutcome] = GroupCommit(
            self._flush,
            name="cancel",
            items_per_flush_max=CANCELS_PER_FLUSH_MAX,
            items_waiting_max=CANCELS_WAITING_MAX,
        )

    async def cancel(self, account: int, message_id: int, *, actor: str) -> CancelOutcome:
        """Whether it, or what went in its place, is canceled now, for good.

        What was canceled is on record as `actor`'s. Raises Overloaded, StorageDown.
        """
        return await committed(self.commits, (message_id, account, actor))

    async def close(self) -> None:
        """Commit what waits, then stop."""
        await self.commits.close()

    async def _flush(self, asked: list[_Asked], attempt: int) -> Sequence[CancelOutcome]:
        wanted = [(message, account) for message, account, _ in asked]
        anew: Mapping[int, Sequence[int]] = {}
        async with self._dedicated.transaction() as connection:
            await connection.execute(_SQL["control_alone"])
            gone = await self._cancel(connection, wanted)
            changed = set(gone)
            others = [each for each in wanted if each[0] not in gone]
            if others:
                anew = await self._sent_anew(connection, [message for message, _ in others])
                later = [(each, account) for old, account in others for each in anew.get(old, ())]
                if later:
                    gone |= await self._cancel(connection, later)
                    others += [each for each in later if each[0] not in gone]
                said = await add_words(connection, others, Status.CANCELED, BY_ITSELF)
                await name_changed(connection, said)
                changed = gone.union(said)
            await audit.append(connection, self._entries(asked, anew, changed))
        self.canceled += len(gone)
        return [
            CancelOutcome(message in gone or not gone.isdisjoint(later), (message, *later)[-1])
            for message, later in ((each, anew.get(each, ())) for each, _ in wanted)
        ]

    def _entries(
        self, asked: Sequence[_Asked], anew: Mapping[int, Sequence[int]], changed: set[int]
    ) -> list[AuditEntry]:
        """One for each who asked, about all that was changed for them."""
        by: dict[tuple[int, str], set[int]] = {}
        for message, account, actor in asked:
            done = changed.intersection((message, *anew.get(message, ())))
            if done:
                by.setdefault((account, actor), set()).update(done)
        return [
            AuditEntry(
                self._ids.next(), account, actor, "message.cancel", None,
                {"messages": len(done), "first": min(done), "last": max(done)},
            )
            for (account, actor), done in by.items()
        ]  # fmt: skip

    async def _cancel(self, connection: Connection, wanted: Sequence[_Wanted]) -> set[int]:
        """Take out of the outbox what is surely not on the wire. Returns what was taken."""
        rows = await connection.fetch(_SQL["cancel_messages"], *_columns(wanted))
        held = [(row["id"], row["owner"]) for row in rows if row["owner"]]
        if held:
            await connection.execute(_SQL["remember_canceled"], *_columns(held))
        canceled = [self._row(row) for row in rows]
        await insert_submissions(connection, canceled)
        await rows_changed(connection, canceled, self._ids)
        return {row["id"] for row in rows}

    def _row(self, outbox: asyncpg.Record) -> SubmissionRow:
        return row_without_wire(outbox, self._ids, Status.CANCELED, error=BY_ITSELF)


def _columns(pairs: Sequence[_Wanted]) -> tuple[list[int], list[int]]:
    return [first for first, _ in pairs], [second for _, second in pairs]
