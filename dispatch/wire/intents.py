"""The intent: a write-ahead record, committed before the first byte of a batch goes on the wire.

Owns the inserts into `submit_intent` and, in the same transaction, the last check of what must not
be sent (last_look.py). Must not write to the wire and must not store results. After a crash, what
no open intent names was certainly not sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from dispatch.decisions import add_decision
from dispatch.journey import Intent
from dispatch.message import ReadyMessage, StopVerdict
from dispatch.wire.last_look import LastLook, SuppressionLook
from storage import sql
from storage.codecs import array_text
from storage.crypto import NumberVault
from storage.doubtful import Doubtful
from storage.group_commit import GroupCommit
from storage.pool import Connection, Dedicated

_SQL = sql.load("dispatch")
INTENTS_PER_FLUSH_MAX = 32
INTENTS_WAITING_MAX = 1_000


class IntentWriter:
    """Commits intents. Batches of several connectors share one commit when they come together."""

    def __init__(
        self,
        dedicated: Dedicated,
        *,
        term: int,
        looks: Sequence[LastLook] = (SuppressionLook(),),
        vault: NumberVault | None = None,
    ) -> None:
        """`vault` gives the indexes of today to what has waited while the number key changed."""
        self._dedicated = dedicated
        self._term = term
        self._vault = vault
        self.looks = looks
        self.decisions: dict[tuple[str, str], int] = {}  # (rule, what it did)
        self._doubtful = Doubtful()  # committed or not, nobody will write what these name
        self.commits: GroupCommit[Intent, dict[int, StopVerdict]] = GroupCommit(
            self._flush,
            name="intent",
            items_per_flush_max=INTENTS_PER_FLUSH_MAX,
            items_waiting_max=INTENTS_WAITING_MAX,
        )

    def commit(
        self, intent: Intent
    ) -> asyncio.Future[list[dict[int, StopVerdict] | BaseException]]:
        """Commit this batch's intent. The result is message id -> verdict, for those that must not
        be sent now.

        The intent does not name those. If the result is an exception, nothing of the batch may be
        written.
        """
        return self.commits.submit([intent])

    async def close(self) -> None:
        """Commit what waits, then stop."""
        await self.commits.close()

    async def _flush(self, intents: list[Intent], attempt: int) -> Sequence[dict[int, StopVerdict]]:
        connection = await self._dedicated.connection()
        await self._doubtful.settle(connection, _close)
        messages = [message for intent in intents for message in intent.messages]
        if self._vault is not None and self._vault.moving:
            for message in messages:
                message.to_idx = self._vault.index(message.to)
                message.old_idx = self._vault.old_indexes(message.to)
        async with self._doubtful.guard(connection, [intent.id for intent in intents]):
            if not any(look.asks(messages) for look in self.looks) and await self._open_if_clear(
                intents, messages
            ):
                return [{} for _ in intents]
            verdicts = await self._look_and_open(intents, messages)
        if not verdicts:
            return [{} for _ in intents]
        for verdict in verdicts.values():
            add_decision(self.decisions, verdict)
        return [
            {
                message.id: verdicts[message.id]
                for message in intent.messages
                if message.id in verdicts
            }
            for intent in intents
        ]

    async def _open_if_clear(self, intents: list[Intent], messages: Sequence[ReadyMessage]) -> bool:
        """Open the intent in one round trip, not six. False, and nothing opened, when a rule has to
        look.

        The statement pairs recipients with accounts and categories, not with messages. A recipient
        with an old index is asked about under both.
        """
        asked = [(each.to_idx, each) for each in messages]
        if any(each.old_idx for each in messages):
            asked += [(old, each) for each in messages for old in each.old_idx]
        async with self._dedicated.guarded() as connection:
            clear = await connection.fetchval(
                _SQL["intents_open_if_clear"],
                self._term,
                [intent.id for intent in intents],
                [intent.connector for intent in intents],
                [len(intent.messages) for intent in intents],
                array_text([message.id for message in messages]),
                b"".join([to_idx for to_idx, _ in asked]),
                array_text([message.account for _, message in asked]),
                array_text([message.category for _, message in asked]),
                list({message.batch_id for message in messages if message.batch_id is not None}),
            )
        return bool(clear)

    async def _look_and_open(
        self, intents: list[Intent], messages: list[ReadyMessage]
    ) -> dict[int, StopVerdict]:
        async with self._dedicated.transaction() as connection:
            verdicts = await self._look(connection, messages)
            rows = [
                (
                    intent.id,
                    self._term,
                    intent.connector,
                    [message.id for message in intent.messages if message.id not in verdicts],
                )
                for intent in intents
            ]
            await connection.executemany(_SQL["intent_open"], rows)
        return verdicts

    async def _look(
        self, connection: Connection, messages: list[ReadyMessage]
    ) -> dict[int, StopVerdict]:
        """Ask each rule about what the rules before it have left."""
        verdicts: dict[int, StopVerdict] = {}
        for look in self.looks:
            stopped = await look.decide(connection, messages)
            if stopped:
                verdicts.update(stopped)
                messages = [message for message in messages if message.id not in stopped]
        return verdicts


async def _close(connection: Connection, intent_ids: list[int]) -> None:
    await connection.execute(_SQL["intent_close"], intent_ids)
