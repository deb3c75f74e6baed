"""Reports of clicks under the names that a client knows.

Owns their shape: pages of groups, rates for counts, money as decimals. Must not count anything
itself (campaigns/clicks.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TypedDict

import asyncpg
import msgspec

from campaigns.clicks import (
    CLICK_KEYS,
    ClickQuestion,
    Counted,
    FirstClick,
    click_rates,
    counted_clicks,
    half_life_hours,
    uv_share,
)
from dlr.grouping import Names, grouping_of, shown
from dlr.rates import Rate, rate_of
from dlr.report_desk import Asked, Figures, GroupPage, page_of, snapshot
from dlr.thresholds import Threshold
from shortlinks.conversions import decimal
from shortlinks.report import Gap, gaps_since


class ClickWish(msgspec.Struct, frozen=True):
    """What a report of clicks is asked for beside its span. `site_uv`: the visitors that the site
    counted in the same time; None: not told.
    """

    within: timedelta
    site_uv: int | None = None
    steps: tuple[str, ...] = ()


class StepFigures(msgspec.Struct):
    """The people who did one step after all before it: of those who clicked, and of those who did
    the step before.
    """

    event: str
    people: int
    of_clicked: Rate
    of_previous: Rate


class ClickFigures(Figures, kw_only=True):
    """Counts, rates that each name numerator and denominator, and what goes with them.

    `first_click`: seconds from the receipt of delivery to a person's first click. `hours`: clicks
    of people by full hours since acceptance, of the first 72. `half_life_hours`: in so many of them
    half came. `revenue`: by currency, of conversions with a click. What there is none of is null.
    """

    first_click: FirstClick | None
    hours: Sequence[int]
    half_life_hours: int | None
    revenue: Mapping[str, str]
    steps: Sequence[StepFigures]


class ClickGroup(ClickFigures, kw_only=True):
    """The figures of one group; `key` has a value for each dimension asked for."""

    key: Mapping[str, str | None]


class ClickReport(msgspec.Struct, kw_only=True):
    """A page of groups in order of their key. `more_after`: the place of the last one if there are
    more.
    """

    groups: Sequence[ClickGroup]
    total: ClickFigures
    click_gaps: Sequence[Gap]
    more_after: tuple[str, ...] | None = None


class ClickReports:
    """Reports over the reading connections."""

    click_dimensions: Sequence[str] = CLICK_KEYS

    def __init__(
        self,
        pool: asyncpg.Pool[asyncpg.Record],
        names: Names,
        thresholds: Mapping[str, Threshold],
    ) -> None:
        self._pool = pool
        self._names = names
        self._thresholds = thresholds

    async def clicks(self, asked: Asked, wish: ClickWish, page: GroupPage) -> ClickReport:
        """What the clicks led to. Raises TooManyRows, SpanTooLarge, StorageDown, ReportTooSlow."""
        grouping = grouping_of(asked.group_by, CLICK_KEYS)
        units = grouping.units(asked.zone, asked.since, asked.until)
        question = ClickQuestion(
            asked.account,
            asked.since,
            asked.until,
            asked.now,
            grouping,
            units,
            wish.within,
            wish.steps,
        )
        async with snapshot(self._pool) as connection:
            groups, total = await counted_clicks(connection, question)
            gaps = await gaps_since(connection, asked.since)
        keys, more_after = page_of(groups if grouping.keys else (), page)
        return ClickReport(
            groups=[
                ClickGroup(
                    **figures_of(wish, groups[key], self._thresholds),
                    key=shown(grouping, key, units, self._names),
                )
                for key in keys
            ],
            total=ClickFigures(**figures_of(wish, total, self._thresholds)),
            click_gaps=gaps,
            more_after=more_after,
        )


class _FigureFields(TypedDict):
    counts: Mapping[str, int]
    rates: Mapping[str, Rate]
    first_click: FirstClick | None
    hours: Sequence[int]
    half_life_hours: int | None
    revenue: Mapping[str, str]
    steps: Sequence[StepFigures]


def figures_of(
    wish: ClickWish, found: Counted, thresholds: Mapping[str, Threshold]
) -> _FigureFields:
    """The fields of ClickFigures."""
    rates = click_rates(found.counts, thresholds)
    uv = found.counts["uv"]
    if wish.site_uv is not None:
        rates["uv_share"] = uv_share(uv, wish.site_uv)
    before = [uv, *found.people][: len(found.people)]
    return {
        "counts": found.counts,
        "rates": rates,
        "first_click": found.first_click,
        "hours": found.hours,
        "half_life_hours": half_life_hours(found.hours),
        "revenue": {each: decimal(found.revenue[each]) for each in sorted(found.revenue)},
        "steps": [
            StepFigures(event, people, rate_of(people, uv), rate_of(people, previous))
            for event, people, previous in zip(wish.steps, found.people, before, strict=True)
        ],
    }
