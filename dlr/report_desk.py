"""Delivery reports under the names that a client knows.

Owns the translation of numbers to names, what a page of groups is, and rates for counts. Must not
count anything itself (`dlr/counting.py`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TypedDict
from zoneinfo import ZoneInfo

import asyncpg
import msgspec

from dlr.counting import (
    Basis,
    Question,
    Reach,
    Told,
    failures_told,
    latency_told,
    provisional,
    reach_of,
    told,
)
from dlr.grouping import GROUP_KEYS, Key, Names, grouping_of, place_of, shown
from dlr.rates import Rate, delivery_rates, reason_rate
from dlr.reasons import Reason
from dlr.report import Counted, Histograms, add
from dlr.rollups.columns import ANSWER, RECEIPT
from dlr.rollups.latency import percentile
from dlr.status import Status
from dlr.thresholds import Threshold
from storage.categories import Category
from storage.pool import Connection
from storage.reading import ReportTooSlow, by_sets, reading

UTC_ZONE = ZoneInfo("UTC")
FAILURE_CODES_MAX = 200
SHARES = ("0.5", "0.95", "0.99")

RatesOf = Callable[[Key, Mapping[str, int]], dict[str, Rate]]
"""The rates of a group, of which the key is named; of all together without one."""


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


class Asked(msgspec.Struct, frozen=True):
    """What a report is about: the messages that an account created in [since, until). `zone` is
    whose hours and days are meant.
    """

    account: int
    since: datetime
    until: datetime
    now: datetime
    group_by: Sequence[str] = ()
    zone: ZoneInfo = UTC_ZONE


class About(msgspec.Struct, kw_only=True):
    """Which messages an answer counts. `since` and `until`: as counted, where a span had to be
    widened to quarters of an hour. `as_of`: nothing behind it is counted. `provisional`: some of it
    may still change. `basis`: whether it was kept in sums, or the messages were read.
    """

    since: datetime
    until: datetime
    as_of: datetime
    provisional: bool
    basis: Basis


class Report(About, kw_only=True):
    """A page of groups in order of their key, and the figures of all groups together. `more_after`
    is the place of the last one if there are more.
    """

    groups: Sequence[ReportGroup]
    total: Figures
    more_after: tuple[str, ...] | None = None


class FailedMessages(msgspec.Struct):
    """What messages failed of at one connector. `carrier_code` is the carrier's own."""

    connector: str | None
    status: str  # label of dlr/status.py
    reason: str  # label of dlr/reasons.py
    carrier_code: str | None
    messages: int


class Failures(About, kw_only=True):
    """`messages` counts all that failed; not `complete`: also of codes that are not told here."""

    failures: Sequence[FailedMessages]
    messages: int
    complete: bool


class Latency(msgspec.Struct, frozen=True):
    """Seconds that half, 95 % and 99 % of a category's messages took at most, to 2.5 %."""

    category: str
    messages: int
    p50: float
    p95: float
    p99: float


class Latencies(About, kw_only=True):
    """Seconds, for each category that has any. A schedule and quiet hours count as waiting."""

    answer: Sequence[Latency]
    receipt: Sequence[Latency]


class AboutFields(TypedDict):
    """The fields of About."""

    since: datetime
    until: datetime
    as_of: datetime
    provisional: bool
    basis: Basis


class DeliveryReports:
    """Reports over the reading connections."""

    delivery_dimensions: Sequence[str] = GROUP_KEYS

    def __init__(
        self,
        pool: asyncpg.Pool[asyncpg.Record],
        names: Names,
        thresholds: Mapping[str, Threshold],
    ) -> None:
        self._pool = pool
        self._names = names
        self._thresholds = thresholds

    async def delivery(self, asked: Asked, page: GroupPage) -> Report:
        """Counts by outcome."""
        async with snapshot(self._pool) as connection:
            counted = await told(connection, question_of(asked))
        return paged(counted, asked.group_by, page, self._names, self._rates_of(asked, counted))

    async def failures(self, asked: Asked) -> Failures:
        """What the carriers said, the most frequent first."""
        async with snapshot(self._pool) as connection:
            reach = await reach_of(connection, asked.since, asked.until, asked.now)
            found = await failures_told(connection, asked.account, reach)
            about = await about_of(connection, reach)
        codes = sorted(found.items(), key=lambda each: (-each[1], str(each[0])))
        return Failures(
            failures=[
                FailedMessages(
                    self._names.connector_name(connector),
                    Status(status).label,
                    Reason(reason).label,
                    None if code is None else str(code),
                    messages,
                )
                for (connector, status, reason, code), messages in codes[:FAILURE_CODES_MAX]
            ],
            messages=found.total(),
            complete=len(codes) <= FAILURE_CODES_MAX,
            **about,
        )

    async def latency(self, asked: Asked) -> Latencies:
        """Seconds to the carrier's last answer, and from the last submit to the last receipt."""
        async with snapshot(self._pool) as connection:
            reach = await reach_of(connection, asked.since, asked.until, asked.now)
            found = await latency_told(connection, asked.account, reach)
            about = await about_of(connection, reach)
        return Latencies(
            answer=_percentiles(found, ANSWER), receipt=_percentiles(found, RECEIPT), **about
        )

    def _rates_of(self, asked: Asked, counted: Told) -> RatesOf:
        if "reason" not in asked.group_by:
            return lambda _, counts: delivery_rates(counts, self._thresholds)
        place = asked.group_by.index("reason")
        bases: Counted = {}
        for key, counts in counted.groups.items():
            add(bases, {(*key[:place], *key[place + 1 :]): counts})

        def rates(key: Key, counts: Mapping[str, int]) -> dict[str, Rate]:
            found = delivery_rates(counts, self._thresholds)
            if key:
                base = bases[(*key[:place], *key[place + 1 :])]
                found["failure_rate"] = reason_rate(counts, base)
            return found

        return rates


def question_of(asked: Asked) -> Question:
    """The question as it is counted. Raises ValueError for another dimension."""
    return Question(
        asked.account,
        asked.since,
        asked.until,
        asked.now,
        grouping_of(asked.group_by),
        asked.zone,
    )


def paged(
    counted: Told, group_by: Sequence[str], page: GroupPage, names: Names, rates: RatesOf
) -> Report:
    """A page of what was counted, in the order of the keys."""
    grouping = grouping_of(group_by)
    keys, more_after = page_of(counted.groups if group_by else (), page)
    groups = [
        ReportGroup(
            counted.groups[key],
            rates(key, counted.groups[key]),
            shown(grouping, key, counted.units, names),
        )
        for key in keys
    ]
    return Report(
        groups=groups,
        total=Figures(counted.total, rates((), counted.total)),
        more_after=more_after,
        since=counted.since,
        until=counted.until,
        as_of=counted.as_of,
        provisional=counted.provisional,
        basis=counted.basis,
    )


def page_of(keys: Iterable[Key], page: GroupPage) -> tuple[list[Key], tuple[str, ...] | None]:
    """The keys of a page in their order, and the place of the last one if more are behind it."""
    placed = sorted((place_of(key), key) for key in keys)
    behind = [each for each in placed if not page.after or each[0] > page.after]
    told = behind[: page.limit]
    return [key for _, key in told], told[-1][0] if len(behind) > page.limit else None


async def about_of(connection: Connection, reach: Reach) -> AboutFields:
    """What the figures of this reach are about."""
    return AboutFields(
        since=reach.since,
        until=reach.until,
        as_of=reach.as_of,
        provisional=await provisional(connection, reach),
        basis="rollup",
    )


@asynccontextmanager
async def snapshot(pool: asyncpg.Pool[asyncpg.Record]) -> AsyncIterator[Connection]:
    """A connection that sees one state of the database. Raises StorageDown, ReportTooSlow."""
    try:
        async with (
            reading(pool) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            await by_sets(connection)
            yield connection
    except asyncpg.QueryCanceledError as error:
        raise ReportTooSlow(str(error)) from error


def _percentiles(found: Histograms, wanted: int) -> list[Latency]:
    told_of = []
    for (kind, category), histogram in sorted(found.items()):
        if kind == wanted:
            seconds = [(percentile(histogram, share) or 0.0) / 1000 for share in SHARES]
            rounded = [round(each, 3) for each in seconds]
            told_of.append(Latency(Category(category).label, histogram.total(), *rounded))
    return told_of
