"""The endpoint for reports of clicks, and what they led to.

Owns its parameters, and how its answer goes out. Must not count: figures come through services.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from campaigns.click_desk import ClickFigures, ClickGroup, ClickWish
from campaigns.click_steps import STEPS_MAX
from dlr.thresholds import Threshold
from shortlinks.report import Gap
from web.api.report_answers import Row, csv_response, rate_cells, rate_heads
from web.api.report_pages import READ, PageReader
from web.api.report_questions import ReportQuery, counted, shown_until
from web.edge.access import Access
from web.edge.endpoints import Answer, Endpoint
from web.edge.json_answers import json_response
from web.edge.parameters import held
from web.services import Services

WITHIN_HOURS_MAX = 9_600  # 400 days
SITE_UV_MAX = 1_000_000_000_000
STEP_CHARACTERS_MAX = 100
SiteUv = Annotated[
    Annotated[int, Meta(ge=1, le=SITE_UV_MAX)] | None,
    Meta(description="Visitors that the site counted in the same time, for `uv_share`."),
]
StepsText = Annotated[
    str,
    Meta(
        description=f"Up to {STEPS_MAX} events with commas between, in the order in which "
        "people do them: `login,cart,order,order`. An event that is named twice is done twice."
    ),
]


class ClickQuery(ReportQuery, kw_only=True):
    """A span, what to tell apart, which clicks count, and the steps of a funnel."""

    within_hours: Annotated[
        int,
        Meta(
            ge=1,
            le=WITHIN_HOURS_MAX,
            description="Clicks so long after acceptance count, and what they led to.",
        ),
    ] = WITHIN_HOURS_MAX
    site_uv: SiteUv = None
    steps: StepsText = ""


class ClickReportAnswer(msgspec.Struct):
    """What the clicks on messages created in [since, until) led to. Groups come in the order of
    their keys, each on one page; `total` is about all groups, on every page. While there are more
    groups, `next_cursor` says where to go on.

    It is `provisional` as long as links work: a click counts whenever it comes. `thresholds` are
    what each `verdict` of a rate is about. `click_gaps`: when clicks could not be kept.
    """

    since: datetime
    until: datetime
    zone: str
    as_of: datetime
    provisional: bool
    group_by: tuple[str, ...]
    groups: Sequence[ClickGroup]
    total: ClickFigures
    thresholds: Mapping[str, Threshold]
    next_cursor: str | None
    click_gaps: Sequence[Gap]


class ClickReportsApi:
    """Handler of /v1/reports/clicks."""

    def __init__(self, services: Services, access: Access) -> None:
        self._services = services
        self._pages = PageReader(services, access, ClickQuery, held(steps=steps_fault))

    def routes(self) -> list[Endpoint]:
        """What server.py mounts."""
        dimensions = ", ".join(self._services.clicks.click_dimensions)
        return [
            Endpoint(
                method="GET",
                path="/v1/reports/clicks",
                handler=self.clicks,
                summary="What clicks led to: visits, conversions, revenue, steps",
                description=f"Dimensions of `group_by`: {dimensions}. By `link`, a message counts "
                "under each of its links.",
                scope=READ,
                query=ClickQuery,
                answers={200: Answer(ClickReportAnswer, headers={"Link": "The next page."})},
                problems=(
                    "report_too_slow", "bad_span", "too_many_rows", "unknown_group",
                    "unknown_zone", "zone_not_quarterly", "span_too_large",
                ),
            )
        ]  # fmt: skip

    async def clicks(self, request: web.Request) -> web.Response:
        """What the clicks led to."""
        reports = self._services.clicks
        wanted = await self._pages.read(request, reports.click_dimensions)
        wish = ClickWish(
            timedelta(hours=wanted.query.within_hours),
            wanted.query.site_uv,
            steps_in(wanted.query.steps),
        )
        report = await counted(reports.clicks(wanted.asked, wish, wanted.groups))
        answer = ClickReportAnswer(
            since=wanted.span.since,
            until=shown_until(wanted.asked.until, wanted.span),
            zone=wanted.asked.zone.key,
            as_of=min(wanted.span.until, wanted.asked.now),
            provisional=True,
            group_by=tuple(wanted.asked.group_by),
            groups=report.groups,
            total=report.total,
            thresholds={
                name: threshold
                for name, threshold in self._services.thresholds.items()
                if name in report.total.rates
            },
            next_cursor=wanted.more(report.more_after),
            click_gaps=report.click_gaps,
        )
        headers = wanted.page.headers(answer.next_cursor)
        if wanted.as_csv:
            return csv_response(click_rows(answer), answer, headers)
        return json_response(answer, headers=headers)


def click_rows(answer: ClickReportAnswer) -> Iterator[Row]:
    """A line for each group; without groups one of all together."""
    figures: Sequence[ClickFigures] = answer.groups if answer.group_by else [answer.total]
    total = answer.total
    currencies = sorted({*total.revenue, *(name for each in figures for name in each.revenue)})
    numbered = [f"step_{number}" for number, _ in enumerate(total.steps, 1)]
    yield [
        *answer.group_by,
        *total.counts,
        *(head for rate in total.rates for head in rate_heads(rate)),
        "first_clicks", "first_click_p50", "first_click_p95", "first_click_p99",
        "half_life_hours",
        *(f"revenue_{name}" for name in currencies),
        *(head for name in numbered for head in _step_heads(name)),
    ]  # fmt: skip
    for each in figures:
        key = each.key if isinstance(each, ClickGroup) else {}
        first = each.first_click
        yield [
            *(key[name] for name in answer.group_by),
            *(each.counts[name] for name in total.counts),
            *(cell for name in total.rates for cell in rate_cells(each.rates[name])),
            *((0, None, None, None) if first is None else msgspec.structs.astuple(first)),
            each.half_life_hours,
            *(each.revenue.get(name) for name in currencies),
            *(
                cell
                for step in each.steps
                for cell in (step.event, step.people, *rate_cells(step.of_clicked))
            ),
        ]


def _step_heads(name: str) -> Sequence[str]:
    return [name, f"{name}_people", *rate_heads(f"{name}_of_clicked")]


def steps_in(text: str) -> tuple[str, ...]:
    """The events that a parameter names."""
    return tuple(text.split(",")) if text else ()


def steps_fault(text: str) -> str | None:
    """What is wrong with such a parameter; None: nothing."""
    steps = steps_in(text)
    if len(steps) <= STEPS_MAX and all(0 < len(step) <= STEP_CHARACTERS_MAX for step in steps):
        return None
    return f"not up to {STEPS_MAX} events of 1 to {STEP_CHARACTERS_MAX} characters"
