"""The feed: chunks of recipients become messages, just in time, at most once each.

Owns the order of the three steps of a chunk, and what a failure at any of them leaves. Must not
write a message (the accepter does), nor say what one says (a Rendering does).

1. The chunk is committed with the ids that its messages will have.
2. The accepter stores the messages. When it has no room, the chunk stays open and is tried again.
3. The chunk is done, and whoever got no message has a reason.

A chunk that is met open, after a crash or a refusal, takes the steps 2 and 3 again with the same
ids. No row is changed for a recipient, so none can be lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import asyncpg
import msgspec
import structlog

from campaigns.running import chunks
from campaigns.running.braking import Brake
from campaigns.running.chunks import Chunk, Pace, Skipped
from campaigns.running.phases import Phases
from campaigns.running.reasons import Skip
from campaigns.running.recipients import Recipient, recipients_of, willing
from campaigns.running.redoing import earlier_messages, next_chunk
from campaigns.running.refusals import Refusals
from campaigns.running.states import FEEDING, CampaignState
from messages.control import waves
from messages.models import Accepter, Enough, GivenIds, IfCapped, Prepared, Refused
from storage import sql
from storage.crypto import NumberVault
from storage.faults import Overloaded, StorageDown
from storage.ids import IdSource
from storage.periodic import Ended, PeriodicTask
from storage.pool import Connection, Dedicated

_SQL = sql.load("campaigns")
_log = structlog.get_logger(__name__)
TURN_SECONDS = 0.5
CHUNKS_PER_TURN_MAX = 200
WAITING_MAX = 50_000  # of a campaign's messages: a pause leaves no more to recall
CHUNKS_BETWEEN_COUNTS = 10  # of each campaign
SLICE_RECIPIENTS = 100  # are written before others run
FRESH_MS = 5_000  # after so long a rendering is opened anew: its template may have ended
# Refusals of one message that a later attempt may not meet.
_AGAIN = frozenset({"overloaded", "storage_unavailable"})


class Rendering(Protocol):
    """One version of one campaign, ready to write its messages."""

    @property
    def pace(self) -> Pace:
        """What bounds its feed."""

    @property
    def category(self) -> int:
        """Of all its messages."""

    @property
    def sender(self) -> str:
        """Who is shown as the sender; empty: the carrier's default."""

    @property
    def if_capped(self) -> IfCapped:
        """What becomes of whoever has had enough: a skip, or a wait for the gap to end."""

    def prepare(self, recipients: Sequence[Recipient], now_ms: int) -> list[Prepared | str]:
        """For each a checked message, or the reason for none."""


class Unrenderable(Exception):
    """A campaign cannot go on: its text, its account or its route is gone. The words say why."""


class Renderings(Protocol):
    """Where renderings come from."""

    async def open(self, connection: Connection, campaign: int, version: int) -> Rendering:
        """Raises Unrenderable."""


class Feed:
    """One process's feed of all campaigns. Counts since start: `chunks`, `messages`, `skipped`."""

    def __init__(
        self,
        dedicated: Dedicated,
        *,
        accepter: Accepter,
        renderings: Renderings,
        vault: NumberVault,
        brake: Brake,
        ids: IdSource,
        term: int,
        wall_ms: Callable[[], int],
        ended: Ended,
    ) -> None:
        self._dedicated = dedicated
        self._accepter = accepter
        self._renderings = renderings
        self._vault = vault
        self._brake = brake
        self._ids = ids
        self._term = term
        self._wall_ms = wall_ms
        self._known: dict[tuple[int, int], tuple[int, Rendering]] = {}  # by when it was opened
        self._refusals = Refusals()
        self.chunks = self.messages = self.skipped = 0
        self._task = PeriodicTask("campaign feed", self.turn, lambda: TURN_SECONDS, ended=ended)

    def start(self) -> None:
        """Begin."""
        self._task.start()

    async def stop(self) -> None:
        """End, wherever it is: what is open is taken up by the next process."""
        await self._task.stop()

    def wake(self) -> None:
        """Something may be due at once."""
        self._task.wake()

    async def turn(self) -> int:
        """Feed what may go now. Returns how many chunks it ended."""
        before = self.chunks
        try:
            await self._give_new(CHUNKS_PER_TURN_MAX, await self._end_open())
        except (Overloaded, StorageDown) as busy:
            _log.info("campaign_feed_waits", why=str(busy))
        return self.chunks - before

    async def _end_open(self) -> set[int]:
        """First what was begun: its people have waited longest. Returns the campaigns that still
        wait: of each no further chunk is begun in this turn.
        """
        while True:
            async with self._dedicated.transaction() as connection:
                left = await chunks.open_chunks(connection, self._term)
            ended = 0
            for chunk in left:
                ended += await self._feed(chunk)
            if not ended:
                return {chunk.campaign for chunk in left}

    async def _give_new(self, room: int, waiting: set[int]) -> None:
        async with self._dedicated.guarded() as connection:
            feeding = await connection.fetch(_SQL["campaigns_feeding"], sorted(FEEDING))
        live = {(row["id"], row["version"]) for row in feeding}
        for key in self._known.keys() - live:
            del self._known[key]
        self._refusals.only([row["id"] for row in feeding])
        storing = _Storing(self._store)
        try:
            await self._in_turn([row for row in feeding if row["id"] not in waiting], room, storing)
            await self._ended(storing)
        finally:
            await storing.stop()

    async def _in_turn(
        self, feeding: Sequence[asyncpg.Record], room: int, storing: _Storing
    ) -> None:
        """A chunk each in turn, so that no campaign waits for another. While one is stored the next
        is written. The first goes alone: where there is no room no second one is begun.
        """
        given = rounds = 0
        while feeding and given < room:
            if rounds % CHUNKS_BETWEEN_COUNTS == 0:
                feeding = [row for row in feeding if not await self._full(row["id"])]
            rounds += 1
            going = []
            for row in feeding:
                written = await self._give(row)
                await self._ended(storing)
                if written is None:
                    continue
                storing.begin(written)
                given += 1
                if given == 1:
                    await self._ended(storing)
                going.append(row)
            feeding = [row for row in going if row["id"] not in storing.stuck]

    async def _ended(self, storing: _Storing) -> None:
        """Wait for the chunk that is being stored, if there is one, and end it."""
        written = storing.written
        if written is None:
            return
        if not (await storing.stored() and await self._finish(written, again=False)):
            storing.stuck.add(written.chunk.campaign)

    async def _give(self, row: asyncpg.Record) -> _Written | None:
        """The next chunk of this campaign, with its messages. None: there is nobody who may go."""
        async with self._dedicated.guarded() as connection:
            rendering = await self._rendering(connection, row["id"], row["version"])
        if rendering is None:
            return None
        campaign, version = row["id"], row["version"]
        async with self._dedicated.transaction() as connection:
            chunk = await next_chunk(
                connection,
                campaign,
                version=version,
                pace=rendering.pace,
                ids=self._ids,
                term=self._term,
                now=datetime.fromtimestamp(self._wall_ms() / 1000, UTC),
            )
        return None if chunk is None else await self._write(chunk)

    async def _full(self, campaign: int) -> bool:
        async with self._dedicated.guarded() as connection:
            batches = await connection.fetchval(_SQL["campaign_batches"], campaign)
            return await waves.waiting(connection, batches, WAITING_MAX) >= WAITING_MAX

    async def _rendering(
        self, connection: Connection, campaign: int, version: int
    ) -> Rendering | None:
        """None: it cannot be written any more, and is paused with the reason."""
        key, now_ms = (campaign, version), self._wall_ms()
        opened_ms, rendering = self._known.pop(key, (0, None))
        if rendering is None or not 0 <= now_ms - opened_ms <= FRESH_MS:
            try:
                rendering = await self._renderings.open(connection, campaign, version)
            except Unrenderable as error:
                await self._brake.pause(connection, campaign, str(error))
                return None
            opened_ms = now_ms
        self._known[key] = opened_ms, rendering
        return rendering

    async def _feed(self, chunk: Chunk) -> bool:
        """Steps 2 and 3 of a chunk that was met open. False: it stays open."""
        written = await self._write(chunk)
        if written is None or not await self._store(written, again=True):
            return False
        return await self._finish(written, again=True)

    async def _write(self, chunk: Chunk) -> _Written | None:
        """Its messages, and who gets none. None: they cannot be written any more."""
        async with self._dedicated.guarded() as connection:
            recipients, left_out = await recipients_of(connection, chunk)
            people = len(recipients) + len(left_out)
            skips = await self._stopped(connection, chunk, recipients)
            if skips is not None:
                return _Written(chunk, people, [*skips, *left_out])
            rendering = await self._rendering(connection, chunk.campaign, chunk.version)
            if rendering is None:
                return None
            recipients, said_no = await willing(
                connection, chunk, recipients, category=rendering.category,
                sender=rendering.sender, vault=self._vault,
            )  # fmt: skip
            left_out += said_no
            instead = await earlier_messages(connection, chunk)
        written = _Written(chunk, people, left_out, rendering.if_capped, instead)
        for first in range(0, len(recipients), SLICE_RECIPIENTS):
            if first:
                await asyncio.sleep(0)
            some = recipients[first : first + SLICE_RECIPIENTS]
            letters = rendering.prepare(some, self._wall_ms())
            for each, letter in zip(some, letters, strict=True):
                if isinstance(letter, str):
                    written.skips.append(Skipped(each.seq, letter))
                else:
                    written.letters.append(letter)
                    written.seqs.append(each.seq)
        reasons = [skip.reason for skip in written.skips]
        why = self._refusals.seen(chunk.campaign, len(written.letters), reasons)
        if why is None:
            return written
        async with self._dedicated.guarded() as connection:
            await self._brake.pause(connection, chunk.campaign, why)
        return None

    async def _store(self, written: _Written, *, again: bool = False) -> bool:
        """Have the accepter store its messages. False: some have to be tried again."""
        if not written.letters:
            return True
        ids, first = written.chunk.ids, written.chunk.from_seq
        verdicts = await self._accepter.accept(
            written.letters,
            batch_id=written.chunk.batch,
            ids=GivenIds(
                [ids[seq - first] for seq in written.seqs],
                again,
                written.if_capped,
                written.instead,
            ),
        )
        for seq, verdict in zip(written.seqs, verdicts, strict=True):
            if isinstance(verdict, Refused):
                if verdict.code in _AGAIN:
                    return False
                written.skips.append(_skipped(seq, verdict))
        return True

    async def _finish(self, written: _Written, *, again: bool) -> bool:
        """Step 3. False: another process has it."""
        async with self._dedicated.transaction() as connection:
            ended = await chunks.finish(
                connection, written.chunk, written.skips, term=self._term, again=again
            )
        if ended:
            self.chunks += 1
            self.skipped += len(written.skips)
            self.messages += written.people - len(written.skips)
        return ended

    async def _stopped(
        self, connection: Connection, chunk: Chunk, recipients: Sequence[Recipient]
    ) -> list[Skipped] | None:
        """Why nobody of an open chunk gets a message any more; None: they do."""
        row = await connection.fetchrow(_SQL["campaign_now"], chunk.campaign)
        assert row is not None  # a chunk has a campaign
        if row["state"] == CampaignState.CANCELED:
            return [Skipped(each.seq, Skip.CANCELED) for each in recipients]
        if row["version"] != chunk.version:
            return [Skipped(each.seq, Skip.SUPERSEDED) for each in recipients]
        if Phases.of(row).stopped(chunk.from_seq):
            return [Skipped(each.seq, Skip.EXPERIMENT_STOPPED) for each in recipients]
        return None


class _Written(msgspec.Struct):
    """A chunk with its messages: `letters` and whose they are, and who gets none, and why.

    `instead`: by id, what a message goes in place of.
    """

    chunk: Chunk
    people: int
    skips: list[Skipped]
    if_capped: IfCapped = IfCapped.SKIP
    instead: Mapping[int, Sequence[int]] = {}
    seqs: list[int] = []
    letters: list[Prepared] = []


class _Storing:
    """At most one chunk that is being stored, while the next one is written.

    `stuck`: campaigns that have one which stays open.
    """

    def __init__(self, store: Callable[[_Written], Coroutine[Any, Any, bool]]) -> None:
        self.stuck: set[int] = set()
        self._store = store
        self._task: asyncio.Task[bool] | None = None
        self.written: _Written | None = None

    def begin(self, written: _Written) -> None:
        """Store this one from now on; there is no other."""
        self.written = written
        self._task = asyncio.create_task(self._store(written), name="campaign chunk")

    async def stored(self) -> bool:
        """Wait for its end. False: it has to be tried again. Raises what the accepter raises."""
        task, self._task, self.written = self._task, None, None
        assert task is not None  # it was begun
        return await task

    async def stop(self) -> None:
        """What is under way is left as it is, to be taken up."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


def _skipped(seq: int, refused: Refused) -> Skipped:
    if isinstance(refused, Enough):
        return Skipped(seq, Skip.CAPPED, refused.rule, refused.detail)
    return Skipped(seq, refused.code)
