"""What became of campaigns and their people, as the API tells it, and what may be asked.

Owns these shapes, and the same as CSV. Must not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Literal

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta, UnsetType

from campaigns.contacts.desk import PREFIX as CONTACT_PREFIX
from campaigns.reporting.cells import COUNTS
from campaigns.reporting.metrics import Measured
from campaigns.reporting.people import LAST_CAMPAIGNS, ExcludedView
from campaigns.reporting.registry import GOALS, METRICS, RATES
from campaigns.reporting.reports import (
    ArmReport,
    By,
    CampaignFigures,
    CampaignReport,
    GroupReport,
)
from campaigns.reporting.why import Outcome
from messages.csv_text import BOM, csv_line
from storage.ids import format_id
from web.api.click_reports import SiteUv, StepsText
from web.api.experiment_shapes import ExperimentResource, HoldoutResource
from web.api.report_answers import Row
from web.api.report_questions import CSV
from web.edge.cursors import PageQuery
from web.edge.reveals import shown


class CampaignReportQuery(msgspec.Struct, kw_only=True):
    """What to tell apart, and by which definitions."""

    by: Annotated[By, Meta(description="What groups are told apart by, beside the arms.")] = "arm"
    definition: Annotated[
        str,
        Meta(
            description="Other definitions than the first ones, with commas between: "
            "`failure_rate:sent,open_rate_est:replies`. `/v1/metrics-registry` lists them."
        ),
    ] = ""
    site_uv: SiteUv = None
    steps: StepsText = ""
    compliance: Annotated[
        bool, Meta(description="Look at consents, hours, caps and opt-outs, too: it takes longer.")
    ] = False
    format: Annotated[
        Literal["json", "csv"] | None,
        Meta(description="`csv` or `json`; else what `Accept` prefers, and JSON if it says none."),
    ] = None


class CampaignReportResource(CampaignReport, frozen=True, kw_only=True):
    """What became of a campaign. `counts` are messages, of which a person has at most one on the
    wire: so they are people, too. Each rate says of what, and as of when.

    `arms` are always told. Groups by segment, hour and operator of fewer than 10 messages are told
    as one, `(others)`; `merged` is how many. `provisional`: some wait, or are on their way.
    """

    id: str
    experiment: ExperimentResource | None
    holdout: HoldoutResource


class ExcludedQuery(PageQuery, kw_only=True):
    """Who of the segment is not planned."""

    because: Annotated[str | None, Meta(description="Those with this reason only.")] = None


class ExcludedResource(msgspec.Struct, kw_only=True):
    """One who is not planned."""

    contact: str
    to: str | None
    reason: str


class ExcludedPage(msgspec.Struct):
    """A page of those who are not planned, in the order of their ids. `counts`: all, by reason."""

    data: list[ExcludedResource]
    next_cursor: str | None
    counts: Mapping[str, int]


class WhyQuery(msgspec.Struct, kw_only=True):
    """Which campaign."""

    campaign: Annotated[
        str | None,
        Meta(description=f"One; else those of the last {LAST_CAMPAIGNS} that had the contact."),
    ] = None


class WhyMessage(msgspec.Struct, kw_only=True):
    """The message, as it stands; `status` is null once it is no longer stored."""

    id: str
    status: str | None
    reason: str | None


class WhyResource(msgspec.Struct, kw_only=True):
    """What happened to a contact in one campaign. `text` says it in words.

    `instead`: the contact that gets the message of this number.
    """

    campaign: str
    name: str
    state: str
    outcome: Outcome
    text: str
    reason: str | UnsetType = UNSET
    instead: str | UnsetType = UNSET
    to: str | UnsetType | None = UNSET
    arm: int | UnsetType = UNSET
    slot: int | UnsetType = UNSET
    message: WhyMessage | UnsetType = UNSET


class WhyList(msgspec.Struct):
    """What happened to a contact, the latest campaign first."""

    data: list[WhyResource]


class DefinitionResource(msgspec.Struct, kw_only=True):
    """One way to compute a metric: the sum of counts by the sum of others, less the last."""

    definition: str
    text: str
    numerator: tuple[str, ...]
    denominator: tuple[str, ...]
    less: tuple[str, ...]


class MetricResource(msgspec.Struct, kw_only=True):
    """A figure of a campaign's report. The first definition holds where none is asked for.

    `settles_hours`: so long after the last message it is provisional.
    """

    name: str
    label: str
    kind: Literal["count", "rate", "mean", "hours"]
    definitions: list[DefinitionResource]
    settles_hours: int


class MetricsRegistry(msgspec.Struct):
    """All figures. `goals`: by a campaign's goal, the rates to look at first."""

    data: list[MetricResource]
    goals: Mapping[str, tuple[str, ...]]


def metrics_registry() -> MetricsRegistry:
    """All there is."""
    metrics = [
        MetricResource(
            name=each.name,
            label=each.label,
            kind=each.kind,
            definitions=[
                DefinitionResource(
                    definition=f"{each.name}:{one.name}",
                    text=one.text,
                    numerator=one.numerator,
                    denominator=one.denominator,
                    less=one.less,
                )
                for one in each.definitions
            ],
            settles_hours=int(each.settles.total_seconds() // 3600),
        )
        for each in METRICS
    ]
    return MetricsRegistry(metrics, dict(GOALS))


def excluded_resource(view: ExcludedView) -> ExcludedResource:
    """One who is not planned, as it is shown."""
    return ExcludedResource(
        contact=format_id(CONTACT_PREFIX, view.contact), to=shown(view.to), reason=view.reason
    )


def csv_answer(made: CampaignReport) -> web.Response:
    """UTF-8 with a byte order mark, for spreadsheets; a line a group, then one of all."""
    return web.Response(
        body=BOM + "".join(map(csv_line, report_rows(made))).encode(),
        content_type=CSV,
        charset="utf-8",
        headers={
            "Report-As-Of": made.as_of.isoformat(),
            "Report-Provisional": str(made.provisional).lower(),
            "Content-Disposition": f'attachment; filename="campaign-by-{made.by}.csv"',
        },
    )


_PARTS = (
    "numerator", "denominator", "low", "high", "too_few", "definition", "provisional",
)  # fmt: skip


def report_rows(made: CampaignReport) -> Iterator[Row]:
    """The heads, a line for each group, and one of all."""
    names = [each.name for each in RATES if each.name in made.total.rates]
    yield [
        made.by, "planned", *COUNTS, "half_life_hours",
        *(head for name in names for head in (name, *(f"{name}_{part}" for part in _PARTS))),
    ]  # fmt: skip
    groups: Iterable[ArmReport | GroupReport] = made.arms if made.by == "arm" else made.groups
    for each in groups:
        yield _line(_key(each), each, names)
    yield _line("total", made.total, names)


def _key(group: ArmReport | GroupReport) -> str | None:
    return str(group.arm) if isinstance(group, ArmReport) else group.key


def _line(key: str | None, figures: CampaignFigures, names: list[str]) -> Row:
    rates: list[Measured | None] = [figures.rates.get(name) for name in names]
    return [
        key,
        figures.planned,
        *(figures.counts[name] for name in COUNTS),
        figures.half_life_hours,
        *(
            None if rate is None else getattr(rate, part)
            for rate in rates
            for part in ("value", *_PARTS)
        ),
    ]
