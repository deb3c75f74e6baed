"""What the endpoints for reports ask for.

Owns the shapes of reports. Counts nothing: report_desk.py does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec
from msgspec import UNSET, UnsetType

from dlr.rates import Rate
from dlr.report import Latency
from shortlinks.report import Gap
from web.meanings import ReasonName, StatusName


class Figures(msgspec.Struct):
    """Counts, and rates that each name numerator and denominator."""

    counts: Mapping[str, int]
    rates: Mapping[str, Rate]


class ReportGroup(Figures):
    """The figures of one group; `key` has a value for each dimension asked for."""

    key: Mapping[str, str | None]


class GroupPage(msgspec.Struct, frozen=True):
    """Which groups of a report: at most `limit` behind the place `after`; from the first if ()."""

    limit: int
    after: tuple[str, ...] = ()


class Report(msgspec.Struct):
    """A page of groups in order of their key, and the figures of all groups together. `more_after`
    is the place of the last one if there are more. `click_gaps`: of a report that counts clicks,
    the stretches since its beginning in which some were not kept.
    """

    groups: Sequence[ReportGroup]
    total: Figures
    more_after: tuple[str, ...] | None = None
    click_gaps: Sequence[Gap] | UnsetType = UNSET


class FailureCount(msgspec.Struct):
    """What parts failed of at one connector. `carrier_code` is the carrier's own; `parts` counts
    what a phone would have got, not messages.
    """

    connector: str | None
    status: StatusName
    reason: ReasonName
    carrier_code: str | None
    parts: int


class Failures(msgspec.Struct, frozen=True):
    """`parts` counts all that failed; not `complete`: also of codes that are not told here."""

    failures: Sequence[FailureCount]
    parts: int
    complete: bool


class Latencies(msgspec.Struct):
    """Seconds, for each category that has any. A schedule and quiet hours count as waiting."""

    accepted_to_submit: Sequence[Latency]
    submit_to_receipt: Sequence[Latency]


class ReportTooSlow(Exception):
    """The database gave up on a report: the span is too long for it."""


class Reporter(Protocol):
    """Counts over the messages an account created in [since, until)."""

    @property
    def delivery_dimensions(self) -> Sequence[str]:
        """What `group_by` of the delivery report may name."""

    @property
    def funnel_dimensions(self) -> Sequence[str]:
        """What `group_by` of the funnel report may name."""

    async def delivery(
        self,
        account: int,
        since: datetime,
        until: datetime,
        group_by: Sequence[str],
        page: GroupPage,
    ) -> Report:
        """Outcomes. Raises StorageDown, ReportTooSlow."""

    async def funnel(
        self,
        account: int,
        since: datetime,
        until: datetime,
        group_by: Sequence[str],
        page: GroupPage,
    ) -> Report:
        """From accepted over delivered to clicked by a person. Raises as `delivery` does."""

    async def failures(self, account: int, since: datetime, until: datetime) -> Failures:
        """The most frequent first. Raises as `delivery` does."""

    async def latency(self, account: int, since: datetime, until: datetime) -> Latencies:
        """How long messages took to the carrier, and receipts to us. Raises as `delivery` does."""
