"""The intent: the row that is committed before the first byte of a batch goes on the wire.

Owns the inserts into `submit_intent` and the last look at the suppression list in the same
transaction. After a crash, what no open intent names was certainly not sent. Must not write to the
wire and must not store results.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from gateway.dispatch.message import Batch
from storage import sql, suppression
from storage.doubtful import Doubtful
from storage.group_commit import GroupCommit
from storage.pool import Connection, Dedicated

_SQL = sql.load(__package__)
BATCHES_PER_FLUSH_MAX = 32
BATCHES_WAITING_MAX = 1_000


class IntentWriter:
    """Commits intents; several connectors' batches share one commit when they come together."""

    def __init__(self, dedicated: Dedicated, *, term: int) -> None:
        self._dedicated = dedicated
        self._term = term
        self._doubtful = Doubtful()  # committed or not, nobody will write what these name
        self.commits: GroupCommit[Batch, dict[int, int]] = GroupCommit(
            self._flush,
            name="intent",
            items_per_flush_max=BATCHES_PER_FLUSH_MAX,
            items_waiting_max=BATCHES_WAITING_MAX,
        )

    def commit(self, batch: Batch) -> asyncio.Future[list[dict[int, int] | BaseException]]:
        """Commit this batch's intent. The one result: message id -> reason of those found
        suppressed.

        Those are not named by the intent and must not be sent. An exception as result means that
        nothing may be written to the wire for this batch.
        """
        return self.commits.submit([batch])

    async def close(self) -> None:
        """Commit what waits, then stop."""
        await self.commits.close()

    async def _flush(self, batches: list[Batch], attempt: int) -> Sequence[dict[int, int]]:
        connection = await self._dedicated.connection()
        await self._doubtful.settle(connection, _close)
        async with (
            self._doubtful.guard(connection, [batch.id for batch in batches]),
            self._dedicated.transaction(),
        ):
            found = await suppression.look_up(
                connection, [message.to_idx for batch in batches for message in batch.messages]
            )
            verdicts = [self._suppressed(batch, found) for batch in batches]
            rows = [
                (
                    batch.id,
                    self._term,
                    batch.connector,
                    [message.id for message in batch.messages if message.id not in verdict],
                )
                for batch, verdict in zip(batches, verdicts, strict=True)
            ]
            await connection.executemany(_SQL["intent_open"], rows)
        return verdicts

    @staticmethod
    def _suppressed(batch: Batch, found: suppression.SuppressionLookup) -> dict[int, int]:
        if not found:
            return {}
        verdict: dict[int, int] = {}
        for message in batch.messages:
            reason = found.reason(message.to_idx, message.account, message.category)
            if reason is not None:
                verdict[message.id] = reason
        return verdict


async def _close(connection: Connection, intents: list[int]) -> None:
    await connection.execute(_SQL["intent_close"], intents)
