"""What the endpoints for campaigns need: small protocols.

Owns them. Must not import what implements them: gateway/wiring fills them in.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from campaigns.decisions.holdouts import HoldoutReport
from campaigns.decisions.reporting import ExperimentReport
from campaigns.reporting.people import ExcludedView, RecipientView, WhyView
from campaigns.reporting.reports import CampaignReport, ReportWish
from campaigns.running.desk import CampaignActor, Canceled
from campaigns.running.planning import Plan
from campaigns.running.spec import Spec
from campaigns.running.standing import Waiting
from campaigns.running.states import CampaignState
from campaigns.running.store import StoredCampaign
from messages.models import Refused, Verdict


class CampaignReader(Protocol):
    """What became of campaigns. Raises StorageDown, ReportTooSlow."""

    async def report(
        self, campaign: StoredCampaign, wish: ReportWish, now: datetime
    ) -> CampaignReport:
        """As of now, or of the last count."""


class PeopleReader(Protocol):
    """The people of campaigns. All raise StorageDown."""

    async def recipients(
        self, campaign: StoredCampaign, *, after: int, limit: int
    ) -> list[RecipientView]:
        """Those planned from place `after` on, in the order of sending."""

    async def excluded(
        self, campaign: StoredCampaign, *, reason: str | None, after: int, limit: int
    ) -> list[ExcludedView]:
        """Who is not planned, behind a contact, in the order of their ids."""

    async def why(self, account: int, contact: int, campaign: int | None) -> list[WhyView] | None:
        """What happened to a contact, in one campaign or in the last; None: there is none."""


class StandingReader(Protocol):
    """What campaigns wait for."""

    async def waiting(self, campaign: StoredCampaign) -> Waiting | None:
        """None: it moves, or is not under way. Raises StorageDown."""


class CampaignBook(Protocol):
    """Campaigns. Every method raises StorageDown; changes raise Overloaded, CampaignRefused, and
    RevisionDiffers where the actor has seen another revision.
    """

    @property
    def reports(self) -> CampaignReader:
        """What became of them."""

    @property
    def people(self) -> PeopleReader:
        """Who is in them."""

    @property
    def standing(self) -> StandingReader:
        """What they wait for."""

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

    async def resume(
        self, actor: CampaignActor, campaign: int, override: str | None = None
    ) -> StoredCampaign | None:
        """The campaign where it was. `override`: why, although its cause stands. Raises
        RevisionDiffers.
        """

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
        """The campaign, decided by hand. Raises CampaignRefused, RevisionDiffers,
        Overloaded.
        """
