"""After an edit: chunks of the new version over recipients whose messages were recalled.

Owns which recipients those are. Must not recall a message: an edit cancels the batches, and the
sweep ends what waits in them.

The kept are those whose message of the earlier chunk was canceled with its batch, and those who had
none because the edit came first. Somebody's message that was canceled by itself is not sent again.
These are facts that never change again, so a repeat finds the same people.
"""

from __future__ import annotations

from typing import NamedTuple

from campaigns.running.chunks import Chunk, add, next_wave
from campaigns.running.reasons import Skip
from campaigns.running.states import FEEDING
from dlr.status import Status
from messages.control.cancel import BY_ITSELF
from storage import sql
from storage.ids import IdSource, run_of_ids
from storage.pool import Connection

_SQL = sql.load("campaigns")


async def next_redo(
    connection: Connection, campaign: int, *, version: int, ids: IdSource, term: int
) -> Chunk | None:
    """Give the next chunk that an edit recalled anew, in the caller's transaction.

    None: there is none, or the campaign is not being fed.
    """
    row = await connection.fetchrow(_SQL["redo_next"], campaign, version, sorted(FEEDING))
    if row is None:
        return None
    wave, chunks = await next_wave(connection, row, ids)
    count = row["to_seq"] - row["from_seq"] + 1
    chunk = Chunk(
        campaign=campaign,
        no=row["next_chunk"],
        version=version,
        batch=wave,
        from_seq=row["from_seq"],
        to_seq=row["to_seq"],
        first_id=ids.take(count)[0],
        redone=row["no"],
    )
    await add(connection, chunk, row["account"], term)
    await connection.execute(_SQL["redo_taken"], campaign, chunk.no + 1, wave, chunks)
    return chunk


class Recalled(NamedTuple):
    """Recipients (seq) of an earlier chunk: who gets it anew, and whose message was not to go."""

    again: set[int]
    canceled: set[int]


async def recalled(connection: Connection, chunk: Chunk) -> Recalled:
    """The recipients that this chunk sends to, and those that it leaves out for good."""
    old = await connection.fetchrow(_SQL["redo_of"], chunk.campaign, chunk.redone)
    assert old is not None  # it names one
    ids = run_of_ids(old["first_id"], old["to_seq"] - old["from_seq"] + 1)
    canceled = await connection.fetch(_SQL["canceled_of"], ids, Status.CANCELED, BY_ITSELF)
    places = {each: seq for seq, each in enumerate(ids, old["from_seq"])}
    superseded = await connection.fetch(
        _SQL["superseded_of"], chunk.campaign, old["version"], old["from_seq"], old["to_seq"],
        Skip.SUPERSEDED,
    )  # fmt: skip
    alone = {places[row["message_id"]] for row in canceled if row["alone"]}
    batches = {places[row["message_id"]] for row in canceled if not row["alone"]}
    return Recalled(batches | {row["seq"] for row in superseded}, alone)
