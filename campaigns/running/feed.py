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

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol

import asyncpg
import msgspec
import structlog

from campaigns.running import chunks, stopping
from campaigns.running.chunks import Chunk, Pace
from campaigns.running.phases import Phases
from campaigns.running.reasons import Skip
from campaigns.running.redoing import next_redo, recalled
from campaigns.running.states import FEEDING, CampaignState
from campaigns.templates.people import Person
from messages.control import waves
from messages.models import Accepter, GivenIds, Prepared, Refused
from storage import sql
from storage.faults import Overloaded, StorageDown
from storage.ids import IdSource
from storage.periodic import Ended, PeriodicTask
from storage.pool import Connection, Dedicated

_SQL = sql.load("campaigns")
_log = structlog.get_logger(__name__)
TURN_SECONDS = 0.5
CHUNKS_PER_TURN_MAX = 200
WAITING_MAX = 50_000  # of a campaign's messages: a pause leaves no more to recall
CHUNKS_BETWEEN_COUNTS = 10
FRESH_MS = 5_000  # after so long a rendering is opened anew: its template may have ended
# Refusals of one message that a later attempt may not meet.
_AGAIN = frozenset({"overloaded", "storage_unavailable"})


class Recipient(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody of a chunk as they are known now. `to_enc` None: the number is no longer theirs."""

    seq: int
    arm: int
    to_enc: bytes | None
    who: Person


class Rendering(Protocol):
    """One version of one campaign, ready to write its messages."""

    @property
    def pace(self) -> Pace:
        """What bounds its feed."""

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
        ids: IdSource,
        term: int,
        wall_ms: Callable[[], int],
        ended: Ended,
    ) -> None:
        self._dedicated = dedicated
        self._accepter = accepter
        self._renderings = renderings
        self._ids = ids
        self._term = term
        self._wall_ms = wall_ms
        self._known: dict[tuple[int, int], tuple[int, Rendering]] = {}  # by when it was opened
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
        wait: each has one chunk open here, and not one more a turn.
        """
        while True:
            async with self._dedicated.transaction() as connection:
                left = await chunks.open_chunks(connection, self._term)
            ended = 0
            for chunk in left:
                ended += await self._feed(chunk, again=True)
            if not ended:
                return {chunk.campaign for chunk in left}

    async def _give_new(self, room: int, waiting: set[int]) -> None:
        async with self._dedicated.guarded() as connection:
            feeding = await connection.fetch(_SQL["campaigns_feeding"], sorted(FEEDING))
        live = {(row["id"], row["version"]) for row in feeding}
        for key in self._known.keys() - live:
            del self._known[key]
        feeding, given = [row for row in feeding if row["id"] not in waiting], 0
        while feeding and given < room:
            going = []
            for row in feeding:  # a chunk each in turn, so that no campaign waits for another
                if given % CHUNKS_BETWEEN_COUNTS == 0 and await self._full(row["id"]):
                    continue
                if await self._give(row):
                    going.append(row)
                    given += 1
            feeding = going

    async def _give(self, row: asyncpg.Record) -> bool:
        """One chunk of this campaign. False: none may go now."""
        async with self._dedicated.guarded() as connection:
            rendering = await self._rendering(connection, row["id"], row["version"])
        if rendering is None:
            return False
        async with self._dedicated.transaction() as connection:
            chunk = await next_redo(
                connection, row["id"], version=row["version"], ids=self._ids, term=self._term
            ) or await chunks.give(
                connection,
                row["id"],
                version=row["version"],
                pace=rendering.pace,
                ids=self._ids,
                term=self._term,
                now=datetime.fromtimestamp(self._wall_ms() / 1000, UTC),
            )
        return chunk is not None and await self._feed(chunk, again=False)

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
                await stopping.pause(connection, campaign, str(error), ids=self._ids)
                return None
            opened_ms = now_ms
        self._known[key] = opened_ms, rendering
        return rendering

    async def _feed(self, chunk: Chunk, *, again: bool) -> bool:
        """Steps 2 and 3. False: it stays open."""
        async with self._dedicated.guarded() as connection:
            recipients = await _recipients(connection, chunk)
            skips = await self._stopped(connection, chunk, recipients)
            rendering = None
            if skips is None:
                rendering = await self._rendering(connection, chunk.campaign, chunk.version)
                if rendering is None:
                    return False
        if rendering is not None:
            answer = await self._accept(chunk, recipients, rendering, again=again)
            if answer is None:
                return False
            skips = answer
        assert skips is not None
        async with self._dedicated.transaction() as connection:
            ended = await chunks.finish(connection, chunk, skips, term=self._term, again=again)
        if ended:
            self.chunks += 1
            self.skipped += len(skips)
            self.messages += len(recipients) - len(skips)
        return ended

    async def _stopped(
        self, connection: Connection, chunk: Chunk, recipients: Sequence[Recipient]
    ) -> list[tuple[int, str]] | None:
        """Why nobody of an open chunk gets a message any more; None: they do."""
        row = await connection.fetchrow(_SQL["campaign_now"], chunk.campaign)
        assert row is not None  # a chunk has a campaign
        if row["state"] == CampaignState.CANCELED:
            return [(each.seq, Skip.CANCELED) for each in recipients]
        if row["version"] != chunk.version:
            return [(each.seq, Skip.SUPERSEDED) for each in recipients]
        if Phases.of(row).stopped(chunk.from_seq):
            return [(each.seq, Skip.EXPERIMENT_STOPPED) for each in recipients]
        return None

    async def _accept(
        self, chunk: Chunk, recipients: Sequence[Recipient], rendering: Rendering, *, again: bool
    ) -> list[tuple[int, str]] | None:
        """Who gets no message, and why; None: some have to be tried again."""
        ids = chunk.ids
        skips: list[tuple[int, str]] = []
        kept: list[Prepared] = []
        kept_ids: list[int] = []
        seqs: list[int] = []
        for each, letter in zip(
            recipients, rendering.prepare(recipients, self._wall_ms()), strict=True
        ):
            if isinstance(letter, str):
                skips.append((each.seq, letter))
                continue
            kept.append(letter)
            kept_ids.append(ids[each.seq - chunk.from_seq])
            seqs.append(each.seq)
        if not kept:
            return skips
        verdicts = await self._accepter.accept(
            kept, batch_id=chunk.batch, ids=GivenIds(kept_ids, again)
        )
        for seq, verdict in zip(seqs, verdicts, strict=True):
            if isinstance(verdict, Refused):
                if verdict.code in _AGAIN:
                    return None
                skips.append((seq, verdict.code))
        return skips


def person_of(row: asyncpg.Record) -> Person:
    """What is known of the contact of a row; nothing if it is gone."""
    return Person(row["attrs"] or {}, row["external_id"], row["source"], row["time_zone"])


async def _recipients(connection: Connection, chunk: Chunk) -> list[Recipient]:
    rows = await connection.fetch(
        _SQL["chunk_recipients"], chunk.campaign, chunk.from_seq, chunk.to_seq
    )
    found = [
        Recipient(
            seq=row["seq"],
            arm=row["arm"],
            to_enc=row["to_enc"],
            who=person_of(row),
        )
        for row in rows
    ]
    if chunk.redone is None:
        return found
    again = await recalled(connection, chunk)
    return [each for each in found if each.seq in again]
