"""After an edit: chunks of the new version over recipients whose messages were recalled.

Owns which recipients those are, and that they come before the others. Must not recall a message: an
edit cancels the batches, and the sweep ends what waits in them.

The kept are those whose message of the earlier chunk was canceled with its batch, and those who had
none because the edit came first. Somebody's message that was canceled by itself is not sent again,
also if that was said after the edit. No message of such a chunk is canceled any more, so a repeat
finds nobody whom the first attempt has not found.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import asyncpg

from campaigns.running.chunks import Chunk, Pace, allowance, begin, follow_clock, give
from campaigns.running.reasons import Skip
from campaigns.running.states import FEEDING
from dlr.status import Status
from messages.control.cancel import BY_ITSELF
from storage import sql
from storage.ids import IdSource, run_of_ids
from storage.pool import Connection

_SQL = sql.load("campaigns")


async def next_chunk(
    connection: Connection,
    campaign: int,
    *,
    version: int,
    pace: Pace,
    ids: IdSource,
    term: int,
    now: datetime,
) -> Chunk | None:
    """What an edit recalled, or else the next recipients, in the caller's transaction (T1).

    None: nobody may go, or the campaign is not being fed.
    """
    if version > 1:  # nothing of a first version was recalled
        row = await connection.fetchrow(_SQL["redo_next"], campaign, version, sorted(FEEDING))
        if row is not None:
            return await _redo(connection, row, version, pace, ids=ids, term=term, now=now)
    return await give(connection, campaign, version=version, pace=pace, ids=ids, term=term, now=now)


async def _redo(
    connection: Connection,
    row: asyncpg.Record,
    version: int,
    pace: Pace,
    *,
    ids: IdSource,
    term: int,
    now: datetime,
) -> Chunk | None:
    """Give it anew as a whole, once the rate lets so many go. None: not yet, nor may others."""
    people = 0
    if pace.per_second is not None:
        await follow_clock(connection, row, pace, now)
        people = len((await recalled(connection, row["id"], row["no"])).again)
        if people > allowance(row, pace, now):
            return None
    chunk, chunks = await begin(
        connection, row, row["from_seq"], row["to_seq"],
        version=version, ids=ids, term=term, redone=row["no"],
    )  # fmt: skip
    await connection.execute(
        _SQL["redo_taken"], row["id"], chunk.no + 1, chunk.batch, chunks, people
    )
    return chunk


class Recalled(NamedTuple):
    """Recipients (seq) of an earlier chunk: who gets it anew, and whose message was not to go."""

    again: set[int]
    canceled: set[int]


async def recalled(connection: Connection, campaign: int, no: int) -> Recalled:
    """The recipients of this chunk to whom it is sent anew, and those who are left out for good."""
    old = await connection.fetchrow(_SQL["redo_of"], campaign, no)
    assert old is not None  # a later one names it
    ids = run_of_ids(old["first_id"], old["to_seq"] - old["from_seq"] + 1)
    canceled = await connection.fetch(_SQL["canceled_of"], ids, Status.CANCELED, BY_ITSELF)
    places = {each: seq for seq, each in enumerate(ids, old["from_seq"])}
    superseded = await connection.fetch(
        _SQL["superseded_of"], campaign, old["version"], old["from_seq"], old["to_seq"],
        Skip.SUPERSEDED,
    )  # fmt: skip
    alone = {places[row["message_id"]] for row in canceled if row["alone"]}
    batches = {places[row["message_id"]] for row in canceled if not row["alone"]}
    return Recalled(batches | {row["seq"] for row in superseded}, alone)
