"""Owns which parameters a list takes. `limit` is the size of a page, not of the list.

Must not judge a value: the gateway does.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Required, TypedDict

from smsgate_client.campaign_reports import ReportBy
from smsgate_client.campaigns import CampaignState
from smsgate_client.contact_words import RowVerdict
from smsgate_client.words import (
    AnomalyScope,
    BreakerScope,
    BreakerState,
    ComplaintSource,
    DeliveryState,
    Detector,
    Interval,
    LinkState,
    ReplyClass,
    Status,
    SuppressedCategory,
    SuppressionSource,
)


class Pages(TypedDict, total=False):
    """Where a list begins, and how much comes with one request."""

    limit: int
    cursor: str


class Reveal(Pages, total=False):
    """`reveal` asks for numbers in clear. It needs the scope `numbers:reveal` and a reason, which
    is kept in the audit.
    """

    reveal: bool
    reason: str


class MessageFilter(Pages, total=False):
    """Which messages."""

    client_ref: str
    to: str
    status: Status | str
    batch_id: str
    campaign_id: str
    tag: str
    created_after: datetime
    created_before: datetime


class ContactFilter(Reveal, total=False):
    """Which contacts."""

    external_id: str
    to: str
    tag: str
    source: str


class RowFilter(Pages, total=False):
    """Which rows of a file of contacts."""

    verdict: RowVerdict | str


class InboundFilter(Reveal, total=False):
    """Which messages from handsets; `kind` is their class."""

    since: datetime
    until: datetime
    kind: ReplyClass | str


class SuppressionFilter(Reveal, total=False):
    """Which suppressions."""

    source: SuppressionSource | str
    category: SuppressedCategory | str


class ConsentFilter(Reveal, total=False):
    """Which entries of the ledger."""

    to: str


class ComplaintFilter(Reveal, total=False):
    """Which complaints."""

    since: datetime
    to: str
    source: ComplaintSource | str
    campaign: str


class LinkFilter(Pages, total=False):
    """Which links."""

    since: datetime
    campaign_id: str
    tag: str
    domain: str
    state: LinkState | str


class SegmentFilter(Pages, total=False):
    """Which segments."""

    name: str


class CampaignFilter(Pages, total=False):
    """Which campaigns."""

    state: CampaignState | str


class CampaignReportFilter(TypedDict, total=False):
    """What to tell apart. `definition`: others than the first, as in `failure_rate:sent`."""

    by: ReportBy | str
    definition: Sequence[str]
    site_uv: int
    steps: Sequence[str]
    compliance: bool


class ExcludedFilter(Pages, total=False):
    """Who of a segment is not planned."""

    because: str


class WhyFilter(TypedDict, total=False):
    """Which campaign."""

    campaign: str


class TemplateFilter(Pages, total=False):
    """Which templates; `ended`: also those."""

    ended: bool


class LinkSpans(TypedDict, total=False):
    """Clicks from `since` and before `until`, in spans of `interval`."""

    since: datetime
    until: datetime
    interval: Interval | str


class BreakerFilter(TypedDict, total=False):
    """Which breakers."""

    scope: BreakerScope | str
    state: BreakerState | str


class AnomalyFilter(Pages, total=False):
    """Which anomalies."""

    detector: Detector | str
    scope: AnomalyScope | str
    subject: str
    since: datetime


class AuditFilter(Pages, total=False):
    """Which rows of the audit; `number` in E.164 form."""

    action: str
    actor: str
    number: str
    since: datetime
    until: datetime


class DeliveryFilter(Pages, total=False):
    """Which attempts; with the state `waiting`, which deliveries."""

    state: DeliveryState | str
    type: str
    since: datetime


class Span(TypedDict, total=False):
    """Messages created from `since` and before `until`; the last day if neither is given."""

    since: datetime
    until: datetime


class ReportFilter(Span, total=False):
    """Which messages, and in which groups; `zone` is whose hours and days are meant."""

    group_by: Sequence[str]
    zone: str
    limit: int
    cursor: str


class ClickFilter(ReportFilter, total=False):
    """Which clicks count, too: those `within_hours` of acceptance. `steps`: events of a funnel, in
    their order. `site_uv`: the visitors that the site counted.
    """

    within_hours: int
    site_uv: int
    steps: Sequence[str]


class PowerFilter(TypedDict, total=False):
    """An experiment that is thought of: two rates as shares of 1, and so many arms. `size`: what do
    so many recipients an arm show? `looks`: planned ones, 1 to 5.
    """

    base: Required[float]
    other: Required[float]
    arms: int
    alpha: float
    power: float
    size: int
    looks: int
