"""The claim: from the outbox into this process's memory, exactly once.

Owns the transaction in which free rows become this term's, and the hand-over into the ready queues.
Owns what happens when the answer to its COMMIT is lost. Must not decide which rows are claimed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import asyncpg
import msgspec

from dispatch.message import MessageOptions, ReadyMessage
from dispatch.outbox.unreadable import fail_unreadable
from dispatch.wire.connector_dispatch import ConnectorDispatch
from dlr.changed import messages_changed
from storage import sql
from storage.crypto import NumberVault
from storage.doubtful import Doubtful
from storage.faults import UNAVAILABLE
from storage.ids import IdSource
from storage.pool import Connection, Dedicated

_SQL = sql.load("dispatch")
_Way = tuple[int, tuple[int, ...]]  # its number, and the connectors of those before it
FIRST_WAY: Final[_Way] = (0, ())
Find = Callable[[Connection], Awaitable[Sequence[asyncpg.Record]]]


class _Begun(msgspec.Struct):
    """A message whose first parts went out: this many submit_sm, of this many parts each."""

    submits: int
    segments: int = 1
    done: set[int] = msgspec.field(default_factory=set)


class Claims:
    """The claims on one database connection."""

    def __init__(
        self,
        dedicated: Dedicated,
        *,
        vault: NumberVault,
        ids: IdSource,
        term: int,
        texts_differ: Callable[[], bool],
    ) -> None:
        """`texts_differ`: whether a connector may make several parts of what was one at accept."""
        self._dedicated = dedicated
        self._vault = vault
        self._ids = ids
        self._term = term
        self._texts_differ = texts_differ
        self._doubtful = Doubtful()
        self.claimed = 0

    def on(self, dedicated: Dedicated) -> Claims:
        """The same on another database connection."""
        return Claims(
            dedicated,
            vault=self._vault,
            ids=self._ids,
            term=self._term,
            texts_differ=self._texts_differ,
        )

    async def claim(self, find: Find) -> tuple[Sequence[asyncpg.Record], list[ReadyMessage]]:
        """Claim the rows that `find` locks. Returns the rows, and their messages in the same order.

        Messages whose number cannot be decrypted are ended and left out. So are those whose parts
        all have a result: a late answer brought the last one. There are two steps, so the ids are
        known before the COMMIT. If its answer is lost they are given back. Otherwise they would be
        owned and in nobody's memory.
        """
        database = await self._dedicated.connection()
        await self._doubtful.settle(database, self._unclaim)
        ids: list[int] = []
        async with self._doubtful.guard(database, ids), self._dedicated.transaction():
            found = await find(database)
            if not found:
                return (), []
            ids += [row["id"] for row in found]
            rows = await database.fetch(
                _SQL["messages_claimed"],
                ids,
                [row["attempt"] for row in found],
                [row["in_doubt"] for row in found],
            )
            done = await self._parts_done(database, rows)
            ways = await _ways(database, found)
            await database.execute(_SQL["outbox_claim"], ids, self._term)
        messages: list[ReadyMessage] = []
        unreadable: dict[int, bool] = {}
        for row in rows:
            message = self._ready_message(row, done, ways.get(row["id"], FIRST_WAY))
            if message is None:
                unreadable[row["id"]] = row["id"] in done
            else:
                messages.append(message)
        if unreadable:
            await self._fail(unreadable)
        if whole := [message for message in messages if not message.cost]:
            await self._end(whole)
            messages = [message for message in messages if message.cost]
        return found, messages

    def hand_over(self, dispatch: ConnectorDispatch, messages: list[ReadyMessage]) -> int:
        """Put them into the ready queue. Room is asked for in rows and kept in parts: the last ones
        that do not fit go back with the next claim.
        """
        fitting = len(messages)
        for position, message in enumerate(messages):
            if not dispatch.ready.reserve(message.cost, message.category):
                fitting = position
                break
        back = [message.id for message in messages[fitting:]]
        self._doubtful.add(back)
        self.claimed += fitting
        dispatch.push(messages[:fitting])
        return len(back)

    async def _fail(self, unreadable: Mapping[int, bool]) -> None:
        """End messages that are ours and nowhere in memory. If that fails they are given back, and
        met again.
        """
        try:
            async with self._dedicated.transaction() as database:
                await fail_unreadable(database, unreadable, self._term, self._ids)
        except UNAVAILABLE:
            self._doubtful.add(list(unreadable))

    async def _end(self, whole: Sequence[ReadyMessage]) -> None:
        """Take out what is sent already. If that fails they are given back, and met again."""
        ids = [message.id for message in whole]
        try:
            async with self._dedicated.transaction() as database:
                await database.execute(_SQL["outbox_whole"], ids, self._term)
                accounts = [(message.id, message.account) for message in whole]
                await messages_changed(database, accounts, self._ids)
        except UNAVAILABLE:
            self._doubtful.add(ids)

    async def _unclaim(self, database: Connection, ids: list[int]) -> None:
        await database.execute(_SQL["outbox_unclaim_messages"], ids, self._term)

    async def _parts_done(
        self, database: Connection, rows: list[asyncpg.Record]
    ) -> Mapping[int, _Begun]:
        """Half-sent messages resume with their missing parts only (E79).

        All with several parts are asked about: a part that was throttled used no attempt.
        """
        resumed = [row["id"] for row in rows if row["parts"] > 1 or self._texts_differ()]
        done: dict[int, _Begun] = {}
        if resumed:
            for row in await database.fetch(_SQL["parts_done"], resumed, min(resumed)):
                begun = done.setdefault(row["message_id"], _Begun(row["parts"], row["segments"]))
                begun.done.add(row["part"])
        return done

    def _ready_message(
        self, row: asyncpg.Record, done: Mapping[int, _Begun], way: _Way
    ) -> ReadyMessage | None:
        to = self._vault.open_or_none(row["to_enc"])
        if to is None:
            return None
        expires_at = row["expires_at"]
        options = row["options"]
        # Perhaps begun with other parts than were counted at accept, under another connector's
        # settings.
        begun = done.get(row["id"]) or _Begun(row["parts"])
        return ReadyMessage(
            id=row["id"],
            category=row["category"],
            account=row["account"],
            parts=begun.submits * begun.segments,
            cost=(begun.submits - len(begun.done)) * begun.segments,
            to=to,
            to_idx=self._vault.todays_index(to, row["to_idx"]),
            sender=row["sender"],
            text=row["text"],
            expires_at=None if expires_at is None else int(expires_at.timestamp() * 1000),
            attempt=row["attempt"],
            parts_done=frozenset(begun.done),
            batch_id=row["batch_id"],
            priority=row["priority"],
            tags=tuple(row["tags"] or ()),
            way=way[0],
            tried=way[1],
            in_doubt=row["in_doubt"],
            options=None if options is None else msgspec.convert(options, MessageOptions),
            old_idx=self._vault.old_indexes(to),
        )


async def _ways(database: Connection, found: Sequence[asyncpg.Record]) -> Mapping[int, _Way]:
    """The ways of those that go by another than the first."""
    numbers = {row["id"]: row["way"] for row in found if row["way"]}
    if not numbers:
        return {}
    rows = await database.fetch(_SQL["outbox_tried"], list(numbers))
    return {row["id"]: (numbers[row["id"]], tuple(row["tried"] or ())) for row in rows}
