"""Owns what an account can do with campaigns, for coroutines, as in blocking_campaigns.

Must not know a path or a shape of JSON: see campaign_calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from smsgate_client import calls, campaign_calls
from smsgate_client import campaign_reports as cr
from smsgate_client import campaigns as c
from smsgate_client.awaiting import Noun
from smsgate_client.calls import under

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from typing import Unpack

    from smsgate_client import filters as f


class Campaigns(Noun):
    """What is sent to whom, and when."""

    async def create(
        self, spec: c.CampaignSpec, *, idempotency_key: str | None = None
    ) -> c.Campaign:
        """Write a draft. Repeated, also by you with the same key, it is one."""
        return await self._client.run(campaign_calls.new(spec, idempotency_key))

    def list(self, **which: Unpack[f.CampaignFilter]) -> AsyncIterator[c.Campaign]:
        """Those that fit, the latest made first."""
        return self._client.each(calls.listed(under("campaigns"), c.Campaign, **which))

    async def get(self, campaign_id: str) -> c.Campaign:
        """One as it stands; raises NotFound."""
        return await self._client.run(calls.get(under("campaigns", campaign_id), c.Campaign))

    async def change(self, campaign_id: str, revision: int, spec: c.CampaignSpec) -> c.Campaign:
        """Write it anew, if it still stands at the revision that you have seen."""
        return await self._client.run(campaign_calls.change(campaign_id, revision, spec))

    async def plan(self, campaign_id: str) -> c.CampaignPlan:
        """Say who would get it."""
        return await self._client.run(campaign_calls.plan(campaign_id))

    async def test(
        self, campaign_id: str, numbers: Sequence[str], *, idempotency_key: str | None = None
    ) -> c.CampaignTest:
        """Send the text of each arm to these numbers. A lost answer is not asked for again."""
        return await self._client.run(campaign_calls.test(campaign_id, numbers, idempotency_key))

    async def start(self, campaign_id: str, *, confirm_recipients: int) -> c.Campaign:
        """Start it, with the number that the plan names."""
        return await self._client.run(campaign_calls.start(campaign_id, confirm_recipients))

    async def pause(self, campaign_id: str, reason: str) -> c.Campaign:
        """Send nothing more of it until it is resumed."""
        return await self._client.run(campaign_calls.pause(campaign_id, reason))

    async def resume(self, campaign_id: str, *, override: str | None = None) -> c.Campaign:
        """Go on with a paused one. `override`: why, although its cause still stands."""
        return await self._client.run(campaign_calls.resume(campaign_id, override))

    async def cancel(self, campaign_id: str) -> c.CanceledCampaign:
        """End it for good, and take back what waits."""
        return await self._client.run(campaign_calls.cancel(campaign_id))

    async def decide(self, campaign_id: str, *, arm: int, reason: str) -> c.Campaign:
        """Have people behind the test of its experiment get the text of this arm."""
        return await self._client.run(campaign_calls.decide(campaign_id, arm, reason))

    async def report(
        self, campaign_id: str, **which: Unpack[f.CampaignReportFilter]
    ) -> cr.CampaignReport:
        """What became of it: by arm, and by what else is asked for."""
        path = under("campaigns", campaign_id, "report")
        return await self._client.run(calls.get(path, cr.CampaignReport, **which))

    def recipients(
        self, campaign_id: str, **which: Unpack[f.Pages]
    ) -> AsyncIterator[c.CampaignRecipient]:
        """The people of its plan in the order of sending."""
        path = under("campaigns", campaign_id, "recipients")
        return self._client.each(calls.listed(path, c.CampaignRecipient, **which))

    def excluded(
        self, campaign_id: str, **which: Unpack[f.ExcludedFilter]
    ) -> AsyncIterator[cr.ExcludedContact]:
        """Who of its segment is not planned, and why."""
        path = under("campaigns", campaign_id, "excluded")
        return self._client.each(calls.listed(path, cr.ExcludedContact, **which))

    def why(self, contact_id: str, **which: Unpack[f.WhyFilter]) -> AsyncIterator[cr.Why]:
        """What happened to a contact, in one campaign or in the last that had it."""
        path = under("contacts", contact_id, "why")
        return self._client.each(calls.listed(path, cr.Why, **which))

    def metrics(self) -> AsyncIterator[cr.Metric]:
        """What each figure of a report is."""
        return self._client.each(calls.listed(under("metrics-registry"), cr.Metric))
