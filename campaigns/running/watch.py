"""The look at campaigns under way: the canary is judged, the guard asked, an end noticed.

Owns those looks, by one process at a time a campaign. Must not feed, nor decide a bound (guard.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import asyncpg

from campaigns.running import guard, stopping, store
from campaigns.running.braking import Brake
from campaigns.running.causes import Cause, said
from campaigns.running.guard import Counts
from campaigns.running.outages import DOWN_MAX, Outages, waits_for
from campaigns.running.schedule import CANARY_MAX, late
from campaigns.running.states import CampaignState, Move, after
from dlr.reasons import Reason
from dlr.report import batch_counts
from messages.control import waves
from storage import sql
from storage.ids import EPOCH_UNIX_MS
from storage.periodic import Ended, PeriodicTask
from storage.pool import Connection, Dedicated

_SQL = sql.load("campaigns")
LOOK_SECONDS = 10.0
WAVES_JUDGED = 3  # up to 150 000 people at a time: no more have no receipt yet
NOT_BEGUN = "it was to begin more than two hours ago, and had not"
END_CAME = "its end came before everybody was texted"
_FILTERED = (Reason.CARRIER_BLOCKED, Reason.CONTENT_FILTERED)
_DOWN = f"down for {DOWN_MAX // timedelta(minutes=1)} minutes while messages of it wait"


class CampaignWatch:
    """One process's looks. Counts since start: `released`, `finished`.

    As of the last look: `states`, campaigns of all accounts, and `chunks_waiting`.
    """

    def __init__(
        self,
        dedicated: Dedicated,
        *,
        outages: Outages,
        brake: Brake,
        wall_ms: Callable[[], int],
        changed: Callable[[], None],
        ended: Ended,
    ) -> None:
        """`changed` is told when a campaign has moved, once it is committed."""
        self._dedicated = dedicated
        self._outages = outages
        self._brake = brake
        self._wall_ms = wall_ms
        self._changed = changed
        self.released = self.finished = 0
        self.states: Counter[CampaignState] = Counter()
        self.chunks_waiting = 0
        self._task = PeriodicTask("campaign watch", self.look, lambda: LOOK_SECONDS, ended=ended)

    def start(self) -> None:
        """Begin."""
        self._task.start()

    async def stop(self) -> None:
        """End."""
        await self._task.stop()

    async def look(self) -> None:
        """Look once at every campaign under way."""
        now = datetime.fromtimestamp(self._wall_ms() / 1000, UTC)
        self._outages.look()
        async with self._dedicated.transaction() as connection:
            rows = await connection.fetch(_SQL["campaigns_watched"], now)
            await self._count(connection)
        for row in rows:
            why = await self._why(row, now)
            if why is not None:
                await self._pause(row["id"], *why)
            else:
                await self._move(row, now)

    async def _count(self, connection: Connection) -> None:
        counted = await connection.fetch(_SQL["campaigns_counted"])
        self.states = Counter({CampaignState(row["state"]): row["campaigns"] for row in counted})
        self.chunks_waiting = await connection.fetchval(_SQL["chunks_waiting"])

    async def _why(self, row: asyncpg.Record, now: datetime) -> tuple[str, Cause | None] | None:
        """Why it must not go on, and what has to be gone first; None: it may."""
        if row["next_seq"] == 0 and late(row["started_at"], now):
            return NOT_BEGUN, None
        async with self._dedicated.transaction() as connection:
            found = await store.spec_of(connection, row["id"], row["version"])
            end = None if found is None else found[1].schedule.end
            if end is not None and end <= now and await _unsent(connection, row):
                return END_CAME, None
            if names := await waits_for(connection, row["id"], self._outages, DOWN_MAX):
                cause = Cause.CONNECTOR_DOWN
                return said(cause, f"{', '.join(names)}, {_DOWN}"), cause
            if row["state"] != CampaignState.RUNNING:
                return None
            for counts in await judged(connection, row["id"], row["account"], row["judged_chunk"]):
                if crossed := guard.crossed(counts):
                    return "; ".join(crossed), Cause.BOUNDS
            return None

    async def _pause(
        self,
        campaign: int,
        reason: str,
        cause: Cause | None,
        resumes_as: CampaignState | None = None,
    ) -> None:
        async with self._dedicated.guarded() as connection:
            await self._brake.pause(
                connection, campaign, reason, resumes_as=resumes_as, cause=cause
            )

    async def _move(self, row: asyncpg.Record, now: datetime) -> None:
        async with self._dedicated.transaction() as connection:
            locked = await connection.fetchrow(_SQL["campaign_lock"], row["id"])
            if locked is None or locked["state"] != row["state"]:
                return
            if locked["state"] == CampaignState.CANARY:
                why = await self._canary(connection, locked, now)
            else:
                why = None
                if (batches := await _over(connection, locked)) is not None:
                    await stopping.finish(connection, row["id"], batches)
                    self.finished += 1
        if why is not None:  # a person who resumes it lets the others follow
            others = after(Move.RELEASE, CampaignState.CANARY)
            await self._pause(row["id"], why, Cause.BOUNDS, others)

    async def _canary(
        self, connection: Connection, row: asyncpg.Record, now: datetime
    ) -> str | None:
        """Let the others follow. Returns why they must not; None also: it is too early to say."""
        if row["next_seq"] < row["canary"] or row["wave"] is None:
            return None
        if await _on_its_way(connection, row):
            return None
        counts = await wave_counts(connection, row["account"], row["wave"])
        waiting = await waves.waiting(connection, [row["wave"]], CANARY_MAX)
        if not guard.canary_begun(counts, waiting):
            return None
        await connection.execute(_SQL["campaign_canary_fed"], row["id"], now)
        if not guard.canary_ripe(counts, waiting, now - (row["canary_fed_at"] or now)):
            return None
        if faults := guard.canary_faults(counts):
            return "; ".join(faults)
        state = after(Move.RELEASE, CampaignState.CANARY)
        await connection.execute(_SQL["campaign_released"], row["id"], state, now)
        self.released += 1
        self._changed()
        return None


async def _unsent(connection: Connection, row: asyncpg.Record) -> bool:
    """Whether somebody is not fed, or waits: for the hours of a window, or for the carrier."""
    if row["next_seq"] < row["planned"] or await _on_its_way(connection, row):
        return True
    batches = await connection.fetchval(_SQL["campaign_batches"], row["id"])
    return await waves.waiting(connection, batches, 1) > 0


async def judged(
    connection: Connection, campaign: int, account: int, first_chunk: int
) -> list[Counts]:
    """Of each batch that counts, the latest first. A batch's receipts come while others are sent.

    `first_chunk`: whoever resumed it has answered for those before.
    """
    rows = await connection.fetch(_SQL["waves_judged"], campaign, first_chunk, WAVES_JUDGED)
    return [await wave_counts(connection, account, row["batch"]) for row in rows]


async def wave_counts(connection: Connection, account: int, batch: int) -> Counts:
    """What became of the messages of one batch, and what people said about them."""
    until_id = await connection.fetchval(_SQL["wave_reach_of"], batch)
    if until_id is None:  # its messages are gone
        return Counts()
    counts = await batch_counts(connection, account, batch, until_id)
    words = await connection.fetchrow(_SQL["wave_words"], batch, Reason.OPTED_OUT, EPOCH_UNIX_MS)
    assert words is not None  # an aggregate
    failed = sum(counts.get(name, 0) for name in ("undelivered", "rejected", "expired", "failed"))
    filtered = 0
    if failed:
        filtered = await connection.fetchval(_SQL["wave_filtered"], batch, until_id, _FILTERED)
    return Counts(
        accepted=counts.get("accepted", 0),
        sent=counts.get("sent", 0),
        delivered=counts.get("delivered", 0),
        verdicts=counts.get("delivered", 0) + failed,
        filtered=min(filtered, failed),
        unsubscribed=words["unsubscribed"],
        complaints=words["complaints"],
    )


async def _over(connection: Connection, row: asyncpg.Record) -> list[int] | None:
    """The batches of a campaign of which everybody is in a done chunk or skipped, and every message
    has ended. None: not yet.

    It counts what was planned, and never takes an empty answer for an end. An experiment is decided
    first, also where nobody waits for it.
    """
    if not row["planned"] or row["next_seq"] < row["planned"]:
        return None
    if row["test_end"] is not None and row["decided_at"] is None:
        return None
    if await _on_its_way(connection, row):
        return None
    batches: list[int] = await connection.fetchval(_SQL["campaign_batches"], row["id"])
    return batches if await waves.ended(connection, batches) else None


async def _on_its_way(connection: Connection, row: asyncpg.Record) -> bool:
    """Whether some chunk is not done, or was recalled and is not given anew."""
    if await connection.fetchval(_SQL["campaign_open_chunks"], row["id"]):
        return True
    return bool(await connection.fetchval(_SQL["campaign_recalled"], row["id"], row["version"]))
