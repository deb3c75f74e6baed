"""What a campaign under way waits for, when nothing of it moves: one word, and until when.

Owns these words and their order. Must not change anything, nor say why a campaign is paused: its
reason does.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import asyncpg
import msgspec

from campaigns.running.chunks import Pace, paced_end
from campaigns.running.feed import WAITING_MAX
from campaigns.running.outages import Outages, waits_for
from campaigns.running.phases import Phases
from campaigns.running.states import FEEDING, CampaignState
from campaigns.running.store import StoredCampaign
from dispatch.holds import Hold
from storage import sql
from storage.pool import Connection
from storage.reading import reading

_SQL = sql.load("campaigns")


class WaitsFor(StrEnum):
    """Why nothing of it moves."""

    START = "start"
    CONNECTOR_DOWN = "connector_down"
    WINDOW_CLOSED = "window_closed"  # or quiet hours
    HELD = "held"  # a scheduled moment, a gap, a rate, a breaker
    NO_ROOM = "no_room"  # the gateway takes no more for now
    RECALL = "recall"  # an edit is not carried out yet
    SLOT = "slot"
    RATE = "rate"
    CANARY_VERDICT = "canary_verdict"
    EXPERIMENT = "experiment"  # it is undecided
    RECEIPTS = "receipts"


_HOURS = frozenset({Hold.SEND_WINDOW, Hold.QUIET_HOURS})


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """`until`: the moment that it waits for, where there is one. `detail`: which hold, breaker or
    connectors.
    """

    what: WaitsFor
    until: datetime | None = None
    detail: str | None = None


class Standing:
    """Says it, as of now."""

    def __init__(
        self,
        pool: asyncpg.Pool[asyncpg.Record],
        outages: Outages,
        wall_ms: Callable[[], int],
    ) -> None:
        self._pool = pool
        self._outages = outages
        self._wall_ms = wall_ms

    async def waiting(self, campaign: StoredCampaign) -> Waiting | None:
        """None: it moves, or is not under way. Raises StorageDown."""
        if campaign.state not in FEEDING or campaign.started_at is None:
            return None
        now = datetime.fromtimestamp(self._wall_ms() / 1000, UTC)
        if now < campaign.started_at:
            return Waiting(what=WaitsFor.START, until=campaign.started_at)
        async with reading(self._pool) as connection:
            if names := await waits_for(connection, campaign.id, self._outages):
                return Waiting(what=WaitsFor.CONNECTOR_DOWN, detail=", ".join(names))
            row = await connection.fetchrow(_SQL["standing"], campaign.id, now, WAITING_MAX)
            if row is None or (row["due"] and row["waiting"] < WAITING_MAX):
                return None
            return await _why(connection, campaign, row, now)


async def _why(
    connection: Connection, campaign: StoredCampaign, row: asyncpg.Record, now: datetime
) -> Waiting | None:
    in_canary, phases = campaign.state is CampaignState.CANARY, Phases.of(row)
    if row["open_chunks"] or row["waiting"] >= WAITING_MAX:
        return Waiting(what=WaitsFor.NO_ROOM)
    if await connection.fetchval(_SQL["campaign_recalled"], campaign.id, campaign.version):
        held_by = await connection.fetchval(_SQL["recall_held"], campaign.id)
        detail = None if held_by is None else f"breaker of batch {held_by}"
        return Waiting(what=WaitsFor.RECALL, detail=detail)
    if row["next_seq"] < phases.end(row["next_seq"], in_canary=in_canary):
        return await _not_fed(connection, campaign, row, now)
    if row["held_until"] is not None:
        hold = Hold(row["hold"])
        what = WaitsFor.WINDOW_CLOSED if hold in _HOURS else WaitsFor.HELD
        return Waiting(what=what, until=row["held_until"], detail=hold.rule)
    if in_canary:
        return Waiting(what=WaitsFor.CANARY_VERDICT)
    undecided = phases.test_end is not None and phases.decided_at is None
    return Waiting(what=WaitsFor.EXPERIMENT if undecided else WaitsFor.RECEIPTS)


async def _not_fed(
    connection: Connection, campaign: StoredCampaign, row: asyncpg.Record, now: datetime
) -> Waiting | None:
    """What the next recipient waits for; None: for their turn, which has come."""
    slot = await connection.fetchval(_SQL["slot_of"], campaign.id, row["next_seq"])
    due = Phases.of(row).begun(row["next_seq"]) + timedelta(minutes=slot or 0)
    if due > now:
        return Waiting(what=WaitsFor.SLOT, until=due)
    schedule = campaign.spec.schedule
    if paced_end(row, Pace(schedule.rate, schedule.ramp), now) <= row["next_seq"]:
        return Waiting(what=WaitsFor.RATE)
    return None
