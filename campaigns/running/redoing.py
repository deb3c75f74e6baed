"""After an edit: chunks of the new version over recipients whose messages were recalled.

Owns which recipients those are, and that they come before the others. Must not recall a message: an
edit cancels the batches, and the sweep ends what waits in them.

The kept are those whose message of the earlier chunk was canceled with its batch, and those who had
none because the edit came first. Somebody's message that was canceled by itself is not sent again,
also if that was said after the edit. Once it is sent anew a cancel follows to the new message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

import asyncpg

from campaigns.running.chunks import Chunk, Pace, allowance, begin, chunk_of, follow_clock, give
from campaigns.running.reasons import Skip
from campaigns.running.states import FEEDING
from campaigns.running.stopping import PREFIX
from dlr.status import Status
from messages.control.cancel import BY_ITSELF
from storage import sql
from storage.ids import IdSource, parse_id
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
    """The recipients of this chunk to whom it is sent anew, and those who are left out for good.

    Whoever is left out for a word about a chunk before this one, the accepter refuses.
    """
    old = (await _chunks(connection, campaign, no))[0]
    ids = old.ids
    canceled = await connection.fetch(_SQL["canceled_of"], ids, Status.CANCELED, BY_ITSELF)
    places = {each: seq for seq, each in enumerate(ids, old.from_seq)}
    superseded = await connection.fetch(
        _SQL["superseded_of"], campaign, old.version, old.from_seq, old.to_seq, Skip.SUPERSEDED
    )
    alone = {places[row["message_id"]] for row in canceled if row["alone"]}
    batches = {places[row["message_id"]] for row in canceled if not row["alone"]}
    return Recalled(batches | {row["seq"] for row in superseded}, alone)


async def earlier_messages(connection: Connection, chunk: Chunk) -> dict[int, tuple[int, ...]]:
    """Of each message of a chunk that is given anew, those that it goes in place of."""
    if chunk.redone is None:
        return {}
    runs = [each.ids for each in await _chunks(connection, chunk.campaign, chunk.redone)]
    return dict(zip(chunk.ids, zip(*runs, strict=True), strict=True))


async def sent_anew(connection: Connection, messages: Sequence[int]) -> Mapping[int, Sequence[int]]:
    """Implements SentAnew: of messages whose campaign gave their chunk anew."""
    rows = await connection.fetch(_SQL["messages_campaigns"], messages)
    told = []
    for row in rows:
        with suppress(ValueError):  # the account's own name of something
            told.append((row["id"], parse_id(PREFIX, row["campaign_id"])))
    if not told:
        return {}
    found: dict[int, list[int]] = {}
    for row in await connection.fetch(_SQL["sent_anew"], *map(list, zip(*told, strict=True))):
        found.setdefault(row["id"], []).append(row["anew"])
    return found


async def _chunks(connection: Connection, campaign: int, no: int) -> list[Chunk]:
    """A chunk and those that it gave anew, over the same recipients; the latest first."""
    rows = await connection.fetch(_SQL["redo_of"], campaign, no)
    return [chunk_of(row) for row in rows]
