"""What a campaign brought: people who were texted against those who were held out.

Owns that comparison of one campaign. Must not do its arithmetic (campaigns/experiments/holdout.py).

Who is held out has no delivery and no click. So both sides are judged from the moment when their
turn came: the chunk that has their place was given. Whoever was to be texted and was skipped stays
on that side.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import asyncpg
import msgspec

from campaigns.experiments.holdout import Lift, lift
from campaigns.running.phases import NOBODY
from campaigns.running.store import StoredCampaign
from dlr.anomalies.significance import Share
from dlr.report_desk import snapshot
from storage import sql
from storage.ids import EPOCH_UNIX_MS, id_at, time_of
from storage.pool import Connection

_SQL = sql.load("campaigns")
WINDOW: Final = timedelta(hours=72)  # without an experiment, which names one
TOLD_AHEAD_MAX: Final = timedelta(minutes=5)  # of what an event says of its time


class NoLift(StrEnum):
    """Why nothing can be said."""

    NO_HOLDOUT = "no_holdout"
    TOO_EARLY = "too_early"  # of one side nobody's time is over
    NOBODY_CONVERTED = "nobody_converted"  # on either side: perhaps nobody tells of it
    DELETED = "deleted"  # by age


class HoldoutReport(msgspec.Struct, frozen=True, kw_only=True):
    """As of now. `event` within `window` of their turn is what counts. `lift` or `why` is None."""

    event: str
    window: timedelta
    texted: Share
    held_out: Share
    lift: Lift | None
    why: NoLift | None


class HoldoutReports:
    """Reads them for the API. Raises StorageDown, ReportTooSlow."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool

    async def holdout(self, campaign: StoredCampaign, now: datetime) -> HoldoutReport:
        """Of those whose time is over."""
        texted = held_out = Share(0, 0)
        if campaign.counts.get("holdout"):
            async with snapshot(self._pool) as connection:
                texted, held_out = await _sides(connection, campaign, now)
        return made(campaign, texted, held_out, now)


def made(campaign: StoredCampaign, texted: Share, held_out: Share, now: datetime) -> HoldoutReport:
    """The report of these two sides."""
    why, ended = None, campaign.ended_at
    if not campaign.counts.get("holdout"):
        why = NoLift.NO_HOLDOUT
    elif not texted.whole or not held_out.whole:
        over = ended is not None and campaign.fed > 0 and ended + _window(campaign) <= now
        why = NoLift.DELETED if over else NoLift.TOO_EARLY
    elif not texted.part and not held_out.part:
        why = NoLift.NOBODY_CONVERTED
    return HoldoutReport(
        event=campaign.spec.conversion,
        window=_window(campaign),
        texted=texted,
        held_out=held_out,
        lift=None if why is not None else lift(texted, held_out),
        why=why,
    )


def _window(campaign: StoredCampaign) -> timedelta:
    asked = campaign.spec.experiment
    return WINDOW if asked is None else asked.window_span


async def _sides(
    connection: Connection, campaign: StoredCampaign, now: datetime
) -> tuple[Share, Share]:
    decided = campaign.decided
    stopped = decided is not None and decided.arm == NOBODY
    rows = await connection.fetch(
        _SQL["holdout_turns"], campaign.id, now, EPOCH_UNIX_MS, _window(campaign),
        campaign.spec.conversion, campaign.account, campaign.test_end if stopped else None,
        id_at(time_of(campaign.id) - TOLD_AHEAD_MAX),
    )  # fmt: skip
    found = {row["texted"]: Share(row["converted"], row["people"]) for row in rows}
    return found.get(True, Share(0, 0)), found.get(False, Share(0, 0))
