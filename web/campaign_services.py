"""What the endpoints for campaigns need: three small protocols.

Owns them. Must not import what implements them: gateway/wiring fills them in.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from campaigns.decisions.holdouts import HoldoutReport
from campaigns.decisions.reporting import ExperimentReport
from campaigns.running.desk import CampaignActor, Canceled
from campaigns.running.planning import Plan
from campaigns.running.reporting import CampaignReport, RecipientView
from campaigns.running.spec import Spec
from campaigns.running.states import CampaignState
from campaigns.running.store import StoredCampaign
from messages.models import Refused, Verdict


class CampaignReader(Protocol):
    """What became of campaigns. Both raise StorageDown, ReportTooSlow."""

    async def report(self, campaign: StoredCampaign, now: datetime) -> CampaignReport:
        """By arm, as of now."""

    async def recipients(
        self, campaign: StoredCampaign, *, after: int, limit: int
    ) -> list[RecipientView]:
        """Those planned from place `after` on, in the order of sending."""


class CampaignBook(Protocol):
    """Campaigns. Every method raises StorageDown; changes raise Overloaded and CampaignRefused."""

    @property
    def reports(self) -> CampaignReader:
        """What became of them."""

    def now(self) -> datetime:
        """In UTC."""

    def new_id(self) -> int:
        """The id of a campaign to be made."""

    async def one(self, account: int, campaign: int) -> StoredCampaign | None:
        """As it stands; None: there is none."""

    async def listed(
        self, account: int, *, state: CampaignState | None, before: int | None, limit: int
    ) -> list[StoredCampaign]:
        """The latest made first, below an id."""

    async def create(self, actor: CampaignActor, campaign: int, spec: Spec) -> StoredCampaign:
        """The draft, once it is stored; with an id that is stored already, that one."""

    async def edit(
        self, actor: CampaignActor, campaign: int, revision: int, spec: Spec
    ) -> StoredCampaign | None:
        """The campaign with its next version; None: there is none. Raises RevisionDiffers."""

    async def plan(self, actor: CampaignActor, campaign: int) -> Plan | None:
        """Who would get it, once they are planned. Raises SegmentRefused."""

    async def test(
        self, actor: CampaignActor, campaign: int, numbers: Sequence[str]
    ) -> tuple[StoredCampaign, list[Verdict | Refused]] | None:
        """The campaign, and what became of each arm's text to each number."""

    async def start(
        self, actor: CampaignActor, campaign: int, confirmed: int
    ) -> StoredCampaign | None:
        """The campaign in its canary. Raises RevisionDiffers."""

    async def pause(
        self, actor: CampaignActor, campaign: int, reason: str
    ) -> StoredCampaign | None:
        """The campaign once nothing more of it begins its way."""

    async def resume(self, actor: CampaignActor, campaign: int) -> StoredCampaign | None:
        """The campaign where it was."""

    async def cancel(self, actor: CampaignActor, campaign: int) -> Canceled | None:
        """End it for good."""


class ExperimentBook(Protocol):
    """Experiments of campaigns, and what campaigns brought. Every method raises StorageDown."""

    async def experiment(self, campaign: StoredCampaign, now: datetime) -> ExperimentReport | None:
        """What it shows so far; None: it has none. Raises ReportTooSlow."""

    async def holdout(self, campaign: StoredCampaign, now: datetime) -> HoldoutReport:
        """People who were texted against those who were held out. Raises ReportTooSlow."""

    async def decide(
        self, actor: CampaignActor, campaign: int, arm: int, reason: str
    ) -> StoredCampaign | None:
        """The campaign, decided by hand. Raises CampaignRefused, Overloaded."""
