"""Stopping what a campaign has given to the carriers' queues: all of its batches as one.

Owns the transaction of a pause, of its end, and of a cancel. Owns what a restore stops. Must not
decide that one is due.

It holds back every intent while it turns the batches. After its commit no message of the campaign
begins its way to a carrier, in any process. So what is in flight then is counted exactly.

The campaign's row is locked first. Whoever waited for it behind the lock of intents would hold up
the sending of everybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from campaigns.running.causes import Cause, said
from campaigns.running.states import FEEDING, CampaignState, Move, after, allowed
from messages.batch_states import BatchState
from messages.control import waves
from storage import audit, sql
from storage.audit import JOB, AuditEntry
from storage.ids import IdSource, format_id
from storage.pool import Connection

_SQL = sql.load("campaigns")
PREFIX = "cmp"
RESTORED = said(
    Cause.RESTORED,
    "the database was made from a backup: whoever got it since then would get it again",
)


async def pause(
    connection: Connection,
    campaign: int,
    reason: str,
    *,
    ids: IdSource,
    actor: str = JOB,
    resumes_as: CampaignState | None = None,
    cause: Cause | None = None,
) -> bool:
    """Pause a campaign with a reason. False: it is not being fed, and nothing is changed.

    `resumes_as`: what it goes back to; None: to what it is. `cause`: what has to be gone first.
    """
    async with connection.transaction():
        row = await connection.fetchrow(_SQL["campaign_lock"], campaign)
        if row is None or not allowed(Move.PAUSE, CampaignState(row["state"])):
            return False
        await connection.execute(
            _SQL["campaign_pause"], campaign, CampaignState.PAUSED,
            row["state"] if resumes_as is None else resumes_as, reason, cause,
        )  # fmt: skip
        await _turned(connection, campaign, BatchState.PAUSED)
        await note(connection, row["account"], campaign, actor, "campaign.pause", ids, reason)
    return True


async def pause_restored(connection: Connection, ids: IdSource) -> int:
    """Pause what was under way in a database that was made from a backup. Returns how many.

    A campaign that only had its test may have been started since, so it is paused, too. One that
    was paused may have gone on since, and says so. Must run before a process may feed. In the
    caller's transaction.
    """
    states = [CampaignState.TESTING, *sorted(FEEDING), CampaignState.PAUSED]
    rows = await connection.fetch(
        _SQL["campaigns_restored"], states, CampaignState.PAUSED, RESTORED, Cause.RESTORED
    )
    for row in rows:
        await _turned(connection, row["id"], BatchState.PAUSED)
        await note(connection, row["account"], row["id"], JOB, "campaign.pause", ids)
    return len(rows)


async def resume(
    connection: Connection, campaign: int, *, resumes_as: CampaignState, begins: datetime
) -> None:
    """Let the batches go on. In the caller's transaction, which holds the campaign's row.

    Nobody fed yet, it begins at `begins`. Behind the canary its guard counts from here: whoever
    resumes it answers for what was before.
    """
    state = after(Move.RESUME, CampaignState.PAUSED, resumes_as)
    afresh = state is CampaignState.RUNNING
    fed = state in FEEDING
    await connection.execute(_SQL["campaign_resume"], campaign, state, begins, afresh, fed)
    await _turned(connection, campaign, BatchState.ACTIVE)


async def cancel(connection: Connection, campaign: int) -> int:
    """End it, and recall what waits, of its test as well. Returns how many messages can no longer
    be stopped.

    In the caller's transaction, which holds the campaign's row.
    """
    test = await connection.fetchval(_SQL["campaign_end"], campaign, CampaignState.CANCELED)
    return await recall(connection, campaign, () if test is None else (test,))


async def finish(connection: Connection, campaign: int, waves_ended: Sequence[int]) -> None:
    """End it, since everything of it has ended. In the caller's transaction, which holds the
    campaign's row. `waves_ended`: its batches, which are nobody's from now on.
    """
    state = after(Move.FINISH, CampaignState.RUNNING)
    await connection.execute(_SQL["campaign_end"], campaign, state)
    await waves.let_go(connection, waves_ended)


async def recall(connection: Connection, campaign: int, others: Sequence[int] = ()) -> int:
    """Recall what waits, also of other batches. Returns and is called as `cancel`."""
    batches = await _turned(connection, campaign, BatchState.CANCELED, others)
    return await waves.in_flight(connection, batches)


async def _turned(
    connection: Connection, campaign: int, state: BatchState, others: Sequence[int] = ()
) -> list[int]:
    """The campaign's batches and others, which are in this state now."""
    await waves.hold_intents(connection)
    own: list[int] = await connection.fetchval(_SQL["campaign_batches"], campaign)
    batches = [*own, *others]
    await waves.turn(connection, batches, state, campaign)
    return batches


async def note(
    connection: Connection,
    account: int,
    campaign: int,
    actor: str,
    action: str,
    ids: IdSource,
    reason: str | None = None,
) -> None:
    """Put a change on record."""
    detail = {"campaign": format_id(PREFIX, campaign)}
    entry = AuditEntry(ids.next(), account, actor, action, None, detail, reason)
    await audit.append(connection, [entry])
