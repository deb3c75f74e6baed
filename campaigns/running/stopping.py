"""Stopping what a campaign has given to the carriers' queues: all of its batches as one.

Owns the transaction of a pause, of its end, and of a cancel. Owns what a restore stops. Must not
decide that one is due.

It holds back every intent while it turns the batches. After its commit no message of the campaign
begins its way to a carrier, in any process. So what is in flight then is counted exactly.

The campaign's row is locked first. Whoever waited for it behind the lock of intents would hold up
the sending of everybody.
"""

from __future__ import annotations

from datetime import datetime

from campaigns.running.causes import Cause
from campaigns.running.states import FEEDING, CampaignState, Move, after, allowed
from messages.batch_states import BatchState
from messages.control import waves
from storage import audit, sql
from storage.audit import JOB, AuditEntry
from storage.ids import IdSource, format_id
from storage.pool import Connection

_SQL = sql.load("campaigns")
PREFIX = "cmp"
RESTORED = "the database was made from a backup: whoever got it since then would get it again"


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

    A campaign that only had its test may have been started since, so it is paused, too. Must run
    before a process may feed. In the caller's transaction.
    """
    states = [CampaignState.TESTING, *sorted(FEEDING)]
    rows = await connection.fetch(
        _SQL["campaigns_restored"], states, CampaignState.PAUSED, RESTORED
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
    """End it, and recall what waits. Returns how many messages can no longer be stopped.

    In the caller's transaction, which holds the campaign's row.
    """
    await connection.execute(_SQL["campaign_end"], campaign, CampaignState.CANCELED)
    return await recall(connection, campaign)


async def recall(connection: Connection, campaign: int) -> int:
    """Recall what waits. Returns and is called as `cancel`."""
    batches = await _turned(connection, campaign, BatchState.CANCELED)
    return await waves.in_flight(connection, batches)


async def _turned(connection: Connection, campaign: int, state: BatchState) -> list[int]:
    """The campaign's batches, which are in this state now."""
    await waves.hold_intents(connection)
    batches: list[int] = await connection.fetchval(_SQL["campaign_batches"], campaign)
    await waves.turn(connection, batches, state)
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
