"""From the outbox back into the ready queues.

Owns the claim of free outbox rows for this process: what was accepted when a ready queue had no
room, what waits for another attempt, and what a dead process left. Reads by cursor, so that a
backlog of a million costs each claim no more than a backlog of a thousand. Must not send.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from operator import attrgetter

import asyncpg
import msgspec
import structlog

from gateway.dispatch.connector_dispatch import ConnectorDispatch
from gateway.dispatch.holds import Hold
from gateway.dispatch.message import MessageOptions, ReadyMessage
from storage import sql
from storage.categories import Category
from storage.crypto import NumberVault
from storage.doubtful import Doubtful
from storage.faults import UNAVAILABLE, Fenced
from storage.pool import Connection, Dedicated

_SQL = sql.load(__package__)
CLAIM_ROWS_MAX = 500
DUE_ROWS_MAX = 200  # of each category
SWEEP_SECONDS = 1.0  # without the cursor: ids may be committed out of order
DUE_SECONDS = 0.2  # how late a retry or a paced message may go
ROOM_SECONDS = 0.02  # how soon to look again while a backlog waits for room

# Not counted by their account's rate when they were accepted.
RELEASED = frozenset({Hold.SCHEDULED, Hold.SEND_WINDOW, Hold.QUIET_HOURS, Hold.FREQUENCY_GAP})

_log = structlog.get_logger(__name__)


class _Begun(msgspec.Struct):
    """A message as its first parts went out: so many submit_sm, of so many parts each."""

    submits: int
    segments: int = 1
    done: set[int] = msgspec.field(default_factory=set)


# account, category, parts, now in ns -> in how many ns what is released may go.
ReleasePace = Callable[[int, int, int, int], int]


def goes_at_once(_account: int, _category: int, _parts: int, _now_ns: int) -> int:
    """No account has a rate."""
    return 0


class Refiller:
    """One loop for all connectors of this process."""

    def __init__(
        self,
        dedicated: Dedicated,
        connectors: Mapping[int, ConnectorDispatch],
        *,
        vault: NumberVault,
        term: int,
        monotonic: Callable[[], float],
        ended: Callable[[asyncio.Task[None]], object],
        pace: ReleasePace = goes_at_once,
        texts_differ: bool = False,
    ) -> None:
        """`ended` is told when the loop has ended by itself, which it should not. `pace` is the
        one that the accepter asks too. `texts_differ`: a connector may make several parts of what
        was one part at accept.
        """
        self._dedicated = dedicated
        self._connectors = connectors
        self._vault = vault
        self._term = term
        self._monotonic = monotonic
        self._ended = ended
        self._pace = pace
        self._more_due = False  # the last claim was full, or moved what it found
        self.texts_differ = texts_differ
        self._cursor: dict[tuple[int, int], int] = defaultdict(int)
        self._backlog: set[tuple[int, int]] = set()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._doubtful = Doubtful()
        self.claimed = 0

    def backlog(self, connector: int, category: int) -> None:
        """Committed messages of this kind wait in the outbox."""
        self._backlog.add((connector, category))
        self._wake.set()

    def start(self) -> None:
        """Begin to claim."""
        self._task = asyncio.create_task(self._run(), name="refill")
        self._task.add_done_callback(self._ended)

    async def stop(self) -> None:
        """Claim nothing any more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        swept_at = due_at = float("-inf")
        while True:
            now = self._monotonic()
            if now - swept_at >= SWEEP_SECONDS:
                swept_at = now
                self._cursor.clear()
                self._backlog.update(
                    (connector, category) for connector in self._connectors for category in Category
                )
            try:
                if self._more_due or now - due_at >= DUE_SECONDS:
                    due_at, self._more_due = now, False
                    for connector in list(self._connectors):
                        await self._claim_due(connector)
                for connector, category in sorted(self._backlog):
                    await self._refill(connector, category)
            except Fenced:
                return  # another process has our work; whoever renews the term ends this one
            except UNAVAILABLE as error:
                _log.warning("refill_waits_for_database", error=repr(error))
            self._wake.clear()
            pause = ROOM_SECONDS if self._backlog or self._more_due else DUE_SECONDS
            try:
                await asyncio.wait_for(self._wake.wait(), pause)
            except TimeoutError:
                continue

    async def _claim_due(self, connector: int) -> None:
        """Retries, and released and paced messages whose time has come: of each category as many
        as it has room for, a slice at a time, urgent ones first.
        """
        dispatch = self._connectors.get(connector)
        if dispatch is None or not dispatch.up:
            return
        rooms = {each: min(DUE_ROWS_MAX, dispatch.ready.room(each)) for each in Category}
        wanted = [each for each in Category if rooms[each] > 0]
        if not wanted:
            return
        claimed = await self._claim("outbox_due", connector, wanted, [rooms[c] for c in wanted])
        claimed.sort(key=attrgetter("category"))
        self._hand_over(dispatch, claimed)
        self._more_due |= len(claimed) >= DUE_ROWS_MAX

    async def _claim(self, which: str, *arguments: object) -> list[ReadyMessage]:
        """Take what the named query finds.

        In two steps, so that the ids are known before the COMMIT: if its answer is lost they are
        given back, else they would be owned and nowhere in memory.
        """
        database = await self._dedicated.connection()
        await self._doubtful.settle(database, self._unclaim)
        ids: list[int] = []
        async with self._doubtful.guard(database, ids), self._dedicated.transaction():
            found = await database.fetch(_SQL[which], *arguments)
            if which == "outbox_due" and found:
                found = await self._turns(database, found)
            if not found:
                return []
            ids += [row["id"] for row in found]
            rows = await database.fetch(
                _SQL["messages_claimed"],
                ids,
                [row["attempt"] for row in found],
                [row["in_doubt"] for row in found],
            )
            done = await self._parts_done(database, rows)
            await database.execute(_SQL["outbox_claim"], ids, self._term)
        return [self._ready_message(row, done) for row in rows]

    async def _turns(
        self, database: Connection, found: list[asyncpg.Record]
    ) -> list[asyncpg.Record]:
        """What is released goes at its account's rate, as what was accepted did: those whose turn
        it is; the others wait on.
        """
        now_ns = int(self._monotonic() * 1e9)
        later: dict[int, int] = {}
        for row in found:
            if row["hold"] in RELEASED:
                wait_ns = self._pace(row["account"], row["category"], row["parts"], now_ns)
                if wait_ns:
                    later[row["id"]] = wait_ns // 1000
        if later:
            await database.execute(
                _SQL["outbox_pace"], list(later), list(later.values()), Hold.ACCOUNT_RATE
            )
            self._more_due = True
        return [row for row in found if row["id"] not in later]

    async def _unclaim(self, database: Connection, ids: list[int]) -> None:
        await database.execute(_SQL["outbox_unclaim_messages"], ids, self._term)

    async def _refill(self, connector: int, category: int) -> None:
        """One claim, as large as the room that is free; an emptied kind is forgotten until the next
        sweep.
        """
        key = (connector, category)
        dispatch = self._connectors.get(connector)
        if dispatch is None or not dispatch.up:
            self._backlog.discard(key)
            return
        room = min(CLAIM_ROWS_MAX, dispatch.ready.refill_parts(category))
        if room <= 0:
            return
        messages = await self._claim("outbox_free", connector, category, self._cursor[key], room)
        if len(messages) < room:
            self._backlog.discard(key)
        if not messages:
            return
        self._cursor[key] = messages[-1].id
        back = self._hand_over(dispatch, messages)
        if back:
            self._cursor[key] = back[0] - 1
            self._backlog.add(key)

    def _hand_over(self, dispatch: ConnectorDispatch, messages: list[ReadyMessage]) -> list[int]:
        """Into the ready queue. Room was asked for in rows and is kept in parts: what does not fit
        goes back with the next claim, and its ids are returned.
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
        return back

    async def _parts_done(
        self, database: Connection, rows: list[asyncpg.Record]
    ) -> Mapping[int, _Begun]:
        """Half-sent messages resume with their missing parts only (E79).

        All of several parts are asked about: a part that was throttled used up no attempt.
        """
        resumed = [row["id"] for row in rows if row["parts"] > 1 or self.texts_differ]
        done: dict[int, _Begun] = {}
        if resumed:
            for row in await database.fetch(_SQL["parts_done"], resumed, min(resumed)):
                begun = done.setdefault(row["message_id"], _Begun(row["parts"], row["segments"]))
                begun.done.add(row["part"])
        return done

    def _ready_message(self, row: asyncpg.Record, done: Mapping[int, _Begun]) -> ReadyMessage:
        expires_at = row["expires_at"]
        options = row["options"]
        # Begun in other parts than were counted at accept, maybe: by another connector's settings.
        begun = done.get(row["id"]) or _Begun(row["parts"])
        return ReadyMessage(
            id=row["id"],
            category=row["category"],
            account=row["account"],
            parts=begun.submits * begun.segments,
            cost=(begun.submits - len(begun.done)) * begun.segments,
            to=self._vault.open(row["to_enc"]),
            to_idx=row["to_idx"],
            sender=row["sender"],
            text=row["text"],
            expires_at=None if expires_at is None else int(expires_at.timestamp() * 1000),
            attempt=row["attempt"],
            parts_done=frozenset(begun.done),
            batch_id=row["batch_id"],
            priority=row["priority"],
            tags=tuple(row["tags"] or ()),
            in_doubt=row["in_doubt"],
            options=None if options is None else msgspec.convert(options, MessageOptions),
        )
