"""Owns what an account can ask of reports, for coroutines: as in blocking_reports, and awaited.

Must not know a shape of JSON: see calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from smsgate_client import calls
from smsgate_client import reports as r
from smsgate_client.awaiting import Noun
from smsgate_client.calls import under

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import Unpack

    from smsgate_client import filters as f


class Reports(Noun):
    """What was counted."""

    async def delivery(self, **which: Unpack[f.ReportFilter]) -> r.Report:
        """One page of groups, and the total: how messages ended."""
        return await self._client.run(calls.get(under("reports", "delivery"), r.Report, **which))

    def delivery_groups(self, **which: Unpack[f.ReportFilter]) -> AsyncIterator[r.Group]:
        """Every group of that report."""
        return self._client.each(calls.groups("delivery", **which))

    async def funnel(self, **which: Unpack[f.ReportFilter]) -> r.Report:
        """One page of groups, and the total: from accepted to clicked."""
        return await self._client.run(calls.get(under("reports", "funnel"), r.Report, **which))

    def funnel_groups(self, **which: Unpack[f.ReportFilter]) -> AsyncIterator[r.Group]:
        """Every group of that report."""
        return self._client.each(calls.groups("funnel", **which))

    async def clicks(self, **which: Unpack[f.ClickFilter]) -> r.ClickReport:
        """One page of groups, and the total: what clicks led to."""
        return await self._client.run(calls.get(under("reports", "clicks"), r.ClickReport, **which))

    def click_groups(self, **which: Unpack[f.ClickFilter]) -> AsyncIterator[r.ClickGroup]:
        """Every group of that report."""
        return self._client.each(calls.click_groups(**which))

    async def replies(self, **which: Unpack[f.ReportFilter]) -> r.Report:
        """One page of groups, and the total: what was answered, and complained of."""
        return await self._client.run(calls.get(under("reports", "replies"), r.Report, **which))

    def replies_groups(self, **which: Unpack[f.ReportFilter]) -> AsyncIterator[r.Group]:
        """Every group of that report."""
        return self._client.each(calls.groups("replies", **which))

    async def failures(self, **span: Unpack[f.Span]) -> r.FailureReport:
        """Why messages failed."""
        return await self._client.run(
            calls.get(under("reports", "failures"), r.FailureReport, **span)
        )

    async def latency(self, **span: Unpack[f.Span]) -> r.LatencyReport:
        """How long messages took."""
        return await self._client.run(
            calls.get(under("reports", "latency"), r.LatencyReport, **span)
        )

    async def power(self, **which: Unpack[f.PowerFilter]) -> r.Power:
        """How many recipients an experiment needs."""
        return await self._client.run(calls.get(under("power"), r.Power, **which))
