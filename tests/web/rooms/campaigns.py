"""A book of campaigns that checks what it is told, and forgets it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

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
from tests.web.rooms.messages import NOW_MS

NOW = datetime.fromtimestamp(NOW_MS / 1000, UTC)


class ForgottenCampaigns:
    """Implements CampaignBook, CampaignReader, PeopleReader, ExperimentBook and StandingReader."""

    @property
    def reports(self) -> ForgottenCampaigns:
        return self

    @property
    def people(self) -> ForgottenCampaigns:
        return self

    @property
    def standing(self) -> ForgottenCampaigns:
        return self

    async def waiting(self, _campaign: StoredCampaign) -> Waiting | None:
        return None

    def now(self) -> datetime:
        return NOW

    def new_id(self) -> int:
        return 1

    async def one(self, _account: int, _campaign: int) -> StoredCampaign | None:
        return None

    async def listed(
        self, _account: int, *, state: CampaignState | None, before: int | None, limit: int
    ) -> list[StoredCampaign]:
        return []

    async def create(self, actor: CampaignActor, campaign: int, spec: Spec) -> StoredCampaign:
        return StoredCampaign(
            id=campaign, account=actor.account, state=CampaignState.DRAFT, resumes_as=None,
            reason=None, version=1, revision=1, created_at=NOW, spec=spec, author=actor.name,
            tested_version=None, test_batch=None, planned_at=None, planned=0, canary=0, counts={},
            started_at=None, fed=0, ended_at=None,
        )  # fmt: skip

    async def edit(
        self, _actor: CampaignActor, _campaign: int, _revision: int, _spec: Spec
    ) -> StoredCampaign | None:
        return None

    async def plan(self, _actor: CampaignActor, _campaign: int) -> Plan | None:
        return None

    async def test(
        self, _actor: CampaignActor, _campaign: int, _numbers: Sequence[str]
    ) -> tuple[StoredCampaign, list[Verdict | Refused]] | None:
        return None

    async def start(
        self, _actor: CampaignActor, _campaign: int, _confirmed: int
    ) -> StoredCampaign | None:
        return None

    async def pause(
        self, _actor: CampaignActor, _campaign: int, _reason: str
    ) -> StoredCampaign | None:
        return None

    async def resume(
        self, _actor: CampaignActor, _campaign: int, _override: str | None = None
    ) -> StoredCampaign | None:
        return None

    async def cancel(self, _actor: CampaignActor, _campaign: int) -> Canceled | None:
        return None

    async def report(
        self, _campaign: StoredCampaign, _wish: ReportWish, _now: datetime
    ) -> CampaignReport:
        raise AssertionError("there is no campaign")

    async def recipients(
        self, _campaign: StoredCampaign, *, after: int, limit: int
    ) -> list[RecipientView]:
        return []

    async def experiment(
        self, _campaign: StoredCampaign, _now: datetime
    ) -> ExperimentReport | None:
        return None

    async def holdout(self, _campaign: StoredCampaign, _now: datetime) -> HoldoutReport:
        raise AssertionError("there is no campaign")

    async def decide(
        self, _actor: CampaignActor, _campaign: int, _arm: int, _reason: str
    ) -> StoredCampaign | None:
        return None

    async def excluded(
        self, _campaign: StoredCampaign, *, reason: str | None, after: int, limit: int
    ) -> list[ExcludedView]:
        return []

    async def why(
        self, _account: int, _contact: int, _campaign: int | None
    ) -> list[WhyView] | None:
        return None
