"""Experiments behind the API: what they show, and decisions by hand.

Owns that change, with its checks and its audit row. Must not count, nor decide by figures.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import asyncpg

from campaigns.decisions import deciding
from campaigns.decisions.decided import Decided, How
from campaigns.decisions.holdouts import HoldoutReport, HoldoutReports
from campaigns.decisions.reporting import ExperimentReport, ExperimentReports
from campaigns.running import store
from campaigns.running.changes import Changes
from campaigns.running.checks import conflict
from campaigns.running.desk import CampaignActor, CampaignRefused
from campaigns.running.states import Move
from campaigns.running.store import StoredCampaign
from messages.models import FieldError
from storage.ids import IdSource


class ExperimentDesk:
    """Implements ExperimentBook."""

    def __init__(
        self,
        pool: asyncpg.Pool[asyncpg.Record],
        changes: Changes,
        *,
        ids: IdSource,
        now: Callable[[], datetime],
    ) -> None:
        self._experiments = ExperimentReports(pool)
        self._holdouts = HoldoutReports(pool)
        self._changes = changes
        self._ids = ids
        self._now = now

    async def experiment(self, campaign: StoredCampaign, now: datetime) -> ExperimentReport | None:
        """What it shows so far; None: it has none. Raises StorageDown, ReportTooSlow."""
        return await self._experiments.experiment(campaign, now)

    async def holdout(self, campaign: StoredCampaign, now: datetime) -> HoldoutReport:
        """Who was texted against who was held out. Raises StorageDown, ReportTooSlow."""
        return await self._holdouts.holdout(campaign, now)

    async def decide(
        self, actor: CampaignActor, campaign: int, arm: int, reason: str
    ) -> StoredCampaign | None:
        """The campaign, whose remainder gets the text of `arm`; None: there is none.

        Raises CampaignRefused, RevisionDiffers, Overloaded, StorageDown.
        """
        async with self._changes.one() as connection:
            before = await store.one(connection, actor.account, campaign, locked=True)
            if before is None:
                return None
            actor.check(before)
            if faults := _faults(before, arm):
                raise CampaignRefused(faults)
            made = Decided(at=self._now(), how=How.BY_HAND, arm=arm, by=actor.name, why=reason)
            await deciding.write(connection, campaign, actor.account, made, self._ids)
            return await store.one(connection, actor.account, campaign)


def _faults(campaign: StoredCampaign, arm: int) -> list[FieldError]:
    found = conflict(Move.DECIDE, campaign.state)
    if not found and (campaign.test_end is None or campaign.started_at is None):
        detail = "it has no experiment that has begun"
        found.append(FieldError("state_conflict", detail, "/experiment"))
    if campaign.decided is not None:
        detail = f"it was decided at {campaign.decided.at.isoformat()}, and that stays"
        found.append(FieldError("state_conflict", detail, "/experiment"))
    arms = len(campaign.spec.arms)
    if not 0 <= arm < arms:
        found.append(FieldError("out_of_range", f"arm is 0 to {arms - 1}", "/arm"))
    return found
