"""After an edit: chunks of the new version over recipients whose messages were recalled.

Owns which recipients those are. Must not recall a message: an edit cancels the batches, and the
sweep ends what waits in them.

The kept are those whose message of the earlier chunk was canceled, and those who had none because
the edit came first. Both are facts that never change again, so a repeat finds the same people.
"""

from __future__ import annotations

from campaigns.running.chunks import Chunk, add, next_wave
from campaigns.running.reasons import Skip
from campaigns.running.states import FEEDING
from dlr.status import Status
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


async def recalled(connection: Connection, chunk: Chunk) -> set[int]:
    """The recipients (seq) that this chunk sends to."""
    old = await connection.fetchrow(_SQL["redo_of"], chunk.campaign, chunk.redone)
    assert old is not None  # it names one
    ids = run_of_ids(old["first_id"], old["to_seq"] - old["from_seq"] + 1)
    canceled = await connection.fetch(_SQL["canceled_of"], ids, Status.CANCELED)
    places = {each: seq for seq, each in enumerate(ids, old["from_seq"])}
    superseded = await connection.fetch(
        _SQL["superseded_of"], chunk.campaign, old["version"], old["from_seq"], old["to_seq"],
        Skip.SUPERSEDED,
    )  # fmt: skip
    return {places[row["message_id"]] for row in canceled} | {row["seq"] for row in superseded}
