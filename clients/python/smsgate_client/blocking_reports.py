"""Owns what an account can ask of reports, and waits for it.

Must not know a shape of JSON: see calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from smsgate_client import calls
from smsgate_client import reports as r
from smsgate_client.blocking import Noun
from smsgate_client.calls import under

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Unpack

    from smsgate_client import filters as f


class Reports(Noun):
    """What was counted."""

    def delivery(self, **which: Unpack[f.ReportFilter]) -> r.Report:
        """One page of groups, and the total: how messages ended."""
        return self._client.run(calls.get(under("reports", "delivery"), r.Report, **which))

    def delivery_groups(self, **which: Unpack[f.ReportFilter]) -> Iterator[r.Group]:
        """Every group of that report."""
        return self._client.each(calls.groups("delivery", **which))

    def funnel(self, **which: Unpack[f.ReportFilter]) -> r.Report:
        """One page of groups, and the total: from accepted to clicked."""
        return self._client.run(calls.get(under("reports", "funnel"), r.Report, **which))

    def funnel_groups(self, **which: Unpack[f.ReportFilter]) -> Iterator[r.Group]:
        """Every group of that report."""
        return self._client.each(calls.groups("funnel", **which))

    def clicks(self, **which: Unpack[f.ClickFilter]) -> r.ClickReport:
        """One page of groups, and the total: what clicks led to."""
        return self._client.run(calls.get(under("reports", "clicks"), r.ClickReport, **which))

    def click_groups(self, **which: Unpack[f.ClickFilter]) -> Iterator[r.ClickGroup]:
        """Every group of that report."""
        return self._client.each(calls.click_groups(**which))

    def replies(self, **which: Unpack[f.ReportFilter]) -> r.Report:
        """One page of groups, and the total: what was answered, and complained of."""
        return self._client.run(calls.get(under("reports", "replies"), r.Report, **which))

    def replies_groups(self, **which: Unpack[f.ReportFilter]) -> Iterator[r.Group]:
        """Every group of that report."""
        return self._client.each(calls.groups("replies", **which))

    def failures(self, **span: Unpack[f.Span]) -> r.FailureReport:
        """Why messages failed."""
        return self._client.run(calls.get(under("reports", "failures"), r.FailureReport, **span))

    def latency(self, **span: Unpack[f.Span]) -> r.LatencyReport:
        """How long messages took."""
        return self._client.run(calls.get(under("reports", "latency"), r.LatencyReport, **span))

    def power(self, **which: Unpack[f.PowerFilter]) -> r.Power:
        """How many recipients an experiment needs."""
        return self._client.run(calls.get(under("power"), r.Power, **which))
