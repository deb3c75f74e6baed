"""Chunks: which recipients are next, under which message ids, and when they are done.

Owns `campaign_chunk`, `campaign_skip`, and the columns of `campaign` that say how far it has come.
Must not render nor store a message.

A chunk is committed before any of its messages is. Recipient `seq` has the id number
`seq - from_seq` of the run that begins with `first_id`, whoever computes it. So a chunk that was
left open is repeated with the same ids: what is stored is not stored again, and the rest is.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import asyncpg
import msgspec

from campaigns.running.phases import Phases
from campaigns.running.schedule import CHUNK_RECIPIENTS_MAX, finish_after, late, let_go, slot_now
from campaigns.running.states import FEEDING, CampaignState
from messages.control import waves
from storage import sql
from storage.ids import IdSource, run_of_ids
from storage.pool import Connection

_SQL = sql.load("campaigns")
WAVE_CHUNKS_MAX = 100  # then the next chunk begins another batch,
WAVE_RECIPIENTS_MIN = 2_000  # unless a slow rate made small ones: the guard judges a batch
OPEN_PER_TURN_MAX = 20
_FEEDING = sorted(FEEDING)


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """Recipients `from_seq` to `to_seq` of a campaign, and the ids of their messages.

    `redone`: the chunk of an earlier version whose recalled messages this one sends anew.
    """

    campaign: int
    no: int
    version: int
    batch: int
    from_seq: int
    to_seq: int
    first_id: int
    redone: int | None = None

    @property
    def ids(self) -> list[int]:
        """One for each recipient of the range, also for those who get no message."""
        return run_of_ids(self.first_id, self.to_seq - self.from_seq + 1)


class Skipped(NamedTuple):
    """A recipient who gets no message. `rule`, `detail`: of a capped one, by what and why."""

    seq: int
    reason: str
    rule: str | None = None
    detail: str | None = None


class Pace(msgspec.Struct, frozen=True):
    """What bounds the feed beside slots. `per_second`: recipients; None: nothing."""

    per_second: float | None = None
    ramp: bool = False


def chunk_of(row: asyncpg.Record) -> Chunk:
    """As stored."""
    return Chunk(**{name: row[name] for name in Chunk.__struct_fields__})


async def give(
    connection: Connection,
    campaign: int,
    *,
    version: int,
    pace: Pace,
    ids: IdSource,
    term: int,
    now: datetime,
    room: int = CHUNK_RECIPIENTS_MAX,
) -> Chunk | None:
    """Take the next recipients who may go by `now`, in the caller's transaction (T1).

    None: nobody may, or the campaign is not being fed, or in another version than `version`.
    """
    row = await connection.fetchrow(_SQL["chunk_campaign"], campaign, _FEEDING)
    if row is None or row["version"] != version:
        return None
    if row["next_seq"] == 0 and late(row["started_at"], now):
        return None  # watch.py pauses it
    last = await _last_due(connection, row, pace, now, room)
    if last is None:
        return None
    chunk, chunks = await begin(
        connection, row, row["next_seq"], last, version=version, ids=ids, term=term
    )
    await connection.execute(
        _SQL["chunk_taken"], campaign, last + 1, chunk.no + 1, chunk.batch, chunks
    )
    return chunk


async def begin(
    connection: Connection,
    row: asyncpg.Record,
    first: int,
    last: int,
    *,
    version: int,
    ids: IdSource,
    term: int,
    redone: int | None = None,
) -> tuple[Chunk, int]:
    """A chunk over these recipients, stored with ids for their messages; and how many chunks its
    batch has then. `redone`: the chunk that it gives anew.
    """
    spare, first_id = ids.take(last - first + 2)[:2]
    wave, chunks = await next_wave(connection, row, spare)
    chunk = Chunk(
        campaign=row["id"],
        no=row["next_chunk"],
        version=version,
        batch=wave,
        from_seq=first,
        to_seq=last,
        first_id=first_id,
        redone=redone,
    )
    await _add(connection, chunk, row["account"], term)
    return chunk, chunks


async def next_wave(connection: Connection, row: asyncpg.Record, spare: int) -> tuple[int, int]:
    """The batch that the next chunk of a campaign joins, and how many chunks it has then.

    `spare`: the id of another batch, below those of the chunk's messages. A batch's messages are
    looked for above its id, so none joins what a process with a later clock has begun.
    """
    wave, chunks = row["wave"], row["wave_chunks"]
    if wave is None or wave > spare:
        return spare, 1
    if chunks >= WAVE_CHUNKS_MAX:
        first_no = row["next_chunk"] - chunks
        if await connection.fetchval(_SQL["wave_people"], row["id"], wave, first_no) >= (
            WAVE_RECIPIENTS_MIN
        ):
            return spare, 1
    return wave, chunks + 1


async def _last_due(
    connection: Connection, row: asyncpg.Record, pace: Pace, now: datetime, room: int
) -> int | None:
    """The last recipient of the next chunk; None: nobody may go. Who gets nothing need not wait."""
    phases, first = Phases.of(row), row["next_seq"]
    end = phases.end(first, in_canary=row["state"] == CampaignState.CANARY)
    last = min(end, first + room) - 1
    if phases.stopped(first):
        return last if first <= last else None
    await follow_clock(connection, row, pace, now)
    last = min(last, paced_end(row, pace, now) - 1)
    if last < first:
        return None
    slot = slot_now(phases.begun(first), now)
    due: int | None = await connection.fetchval(_SQL["chunk_due"], row["id"], first, last, slot)
    return due


def paced_end(row: asyncpg.Record, pace: Pace, now: datetime) -> int:
    """Up to which recipient (not with) the rate lets go by now. `row`: of `campaign`."""
    return int(min(row["planned"], row["next_seq"] + allowance(row, pace, now)))


def allowance(row: asyncpg.Record, pace: Pace, now: datetime) -> float:
    """How many more the rate lets go by now; infinite without one, below 0: too many went.

    Whoever is sent to anew after an edit counts as well: `paced_seq` goes back by as many.
    """
    gone = let_go(now - row["paced_at"], pace.per_second, ramp=pace.ramp)
    return float(row["paced_seq"] + gone - row["next_seq"])


async def follow_clock(
    connection: Connection, row: asyncpg.Record, pace: Pace, now: datetime
) -> None:
    """Where more have gone than the rate lets go by now, the clock was set back, or the rate is
    slower. So too where it is counted from later than now. What has gone is paid for then, at once.
    """
    counted = row["paced_at"] <= now or now < row["started_at"]
    if counted and allowance(row, pace, now) >= 0:
        return
    gone = row["next_seq"] - row["paced_seq"]
    paid = finish_after(gone, pace.per_second, ramp=pace.ramp, spread_minutes=0)
    await connection.execute(_SQL["campaign_paced"], row["id"], now - paid)


async def _add(connection: Connection, chunk: Chunk, account: int, term: int) -> None:
    """Store a chunk, and have its batch reach to its last id."""
    await connection.execute(
        _SQL["chunk_add"], chunk.campaign, chunk.no, chunk.version, chunk.batch, chunk.from_seq,
        chunk.to_seq, chunk.first_id, term, chunk.redone,
    )  # fmt: skip
    await waves.reach(connection, chunk.batch, account, chunk.ids[-1], chunk.campaign)
    await connection.execute(_SQL["stat_begin"], chunk.campaign, chunk.batch)


async def open_chunks(connection: Connection, term: int) -> list[Chunk]:
    """Chunks that were given and are not done: this process's own, and those of processes that
    have ended, which are its own from now on. Those of paused campaigns are left out.
    """
    asked = term, OPEN_PER_TURN_MAX, CampaignState.PAUSED
    left = await connection.fetch(_SQL["chunks_take_over"], *asked)
    own = await connection.fetch(_SQL["chunks_given"], *asked)
    found = {(row["campaign"], row["no"]): chunk_of(row) for row in (*left, *own)}
    return [found[key] for key in sorted(found)]


async def finish(
    connection: Connection,
    chunk: Chunk,
    skips: Sequence[Skipped],
    *,
    term: int,
    again: bool,
) -> bool:
    """The chunk is done, and these recipients got no message (T3).

    False, and nothing is written: another process has it. `again`: an earlier attempt may have
    stored messages of some that are skipped now. They got theirs.
    """
    if await connection.fetchval(_SQL["chunk_done"], chunk.campaign, chunk.no, term) is None:
        return False
    if skips and again:
        ids = chunk.ids
        rows = await connection.fetch(
            _SQL["messages_there"], [ids[each.seq - chunk.from_seq] for each in skips]
        )
        there = {row["id"] for row in rows}
        skips = [each for each in skips if ids[each.seq - chunk.from_seq] not in there]
    if skips:
        await connection.execute(
            _SQL["chunk_skips"], chunk.campaign, chunk.version, *map(list, zip(*skips, strict=True))
        )
    return True
