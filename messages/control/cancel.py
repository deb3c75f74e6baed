"""Single messages that their sender cancels.

Owns the transaction of a cancel. The outbox row goes and status `canceled` is written, while no
intent can be. Must not decide what the API says when it is too late.

A message may be canceled already, with its batch. It is on record then that it was canceled by
itself as well: a campaign that sends its batch anew leaves it out.
"""

from __future__ import annotations

from collections.abc import Sequence

from dispatch.outbox.without_wire import row_without_wire
from dlr.changed import rows_changed
from dlr.ledger import add_words, insert_submissions
from dlr.rollups.naming import name_changed
from dlr.status import Status
from storage import sql
from storage.group_commit import GroupCommit
from storage.ids import IdSource
from storage.one_commit import committed
from storage.pool import Dedicated

_SQL = sql.load("messages")
BY_ITSELF = "it was canceled by itself"  # and not its batch
CANCELS_PER_FLUSH_MAX = 200
CANCELS_WAITING_MAX = 2_000

_Wanted = tuple[int, int]  # message, account


class MessageCanceler:
    """Cancels messages. Many share one commit, since intents wait meanwhile."""

    def __init__(self, dedicated: Dedicated, ids: IdSource) -> None:
        self._dedicated = dedicated
        self._ids = ids
        self.canceled = 0
        self.commits: GroupCommit[_Wanted, bool] = GroupCommit(
            self._flush,
            name="cancel",
            items_per_flush_max=CANCELS_PER_FLUSH_MAX,
            items_waiting_max=CANCELS_WAITING_MAX,
        )

    async def cancel(self, account: int, message_id: int) -> bool:
        """Whether the message was certainly not on the wire and is canceled now, for good.

        Raises Overloaded, StorageDown.
        """
        return await committed(self.commits, (message_id, account))

    async def close(self) -> None:
        """Commit what waits, then stop."""
        await self.commits.close()

    async def _flush(self, wanted: list[_Wanted], attempt: int) -> Sequence[bool]:
        async with self._dedicated.transaction() as connection:
            await connection.execute(_SQL["control_alone"])
            rows = await connection.fetch(
                _SQL["cancel_messages"],
                [message for message, _ in wanted],
                [account for _, account in wanted],
            )
            held = [(row["id"], row["owner"]) for row in rows if row["owner"]]
            if held:
                await connection.execute(_SQL["remember_canceled"], *zip(*held, strict=True))
            canceled = [
                row_without_wire(row, self._ids, Status.CANCELED, error=BY_ITSELF) for row in rows
            ]
            await insert_submissions(connection, canceled)
            await rows_changed(connection, canceled, self._ids)
            gone = {row["id"] for row in rows}
            others = [each for each in wanted if each[0] not in gone]
            if others:
                said = await add_words(connection, others, Status.CANCELED, BY_ITSELF)
                await name_changed(connection, said)
        self.canceled += len(gone)
        return [message in gone for message, _ in wanted]
