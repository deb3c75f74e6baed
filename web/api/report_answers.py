"""What reports answer: their JSON shapes, and the same as CSV.

Owns both. Must not count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Literal, Protocol

import msgspec
from aiohttp import web
from msgspec import UNSET, UnsetType

from dlr.rates import Rate
from dlr.report_desk import Failures, Figures, Latencies, Latency, ReportGroup
from dlr.thresholds import Threshold
from messages.csv_text import csv_line
from messages.words import ReasonName, StatusName
from shortlinks.report import Gap
from web.api.report_questions import CSV

_LATENCY_KINDS = ("answer", "receipt")

Row = Sequence[str | int | float | None]


class Timely(Protocol):
    """Up to when an answer counts, and whether some of it may still change."""

    as_of: datetime
    provisional: bool


class ReportAnswer(msgspec.Struct):
    """A report and the question it answers: messages created in [since, until). Groups come in the
    order of their keys, each on one page; `total` is about all groups, on every page. Pages share
    the span of the first one. While there are more groups, `next_cursor` says where to go on.

    `as_of`: nothing behind it is counted. `provisional`: some of it may still change. `basis`:
    `rollup` where sums are kept, `scan` where the messages were read. `since` and `until` are at
    quarters of an hour where a part of one holds too many messages to be read.

    `thresholds` are what each `verdict` of a rate is about. `click_gaps`, of the funnel: when short
    links redirected and their clicks could not be kept, so that what is counted of them is too low.
    """

    since: datetime
    until: datetime
    zone: str
    as_of: datetime
    provisional: bool
    basis: Literal["rollup", "scan"]
    group_by: tuple[str, ...]
    groups: Sequence[ReportGroup]
    total: Figures
    thresholds: Mapping[str, Threshold]
    next_cursor: str | None
    click_gaps: Sequence[Gap] | UnsetType = UNSET


class FailureCount(msgspec.Struct):
    """What messages failed of at one connector. `carrier_code` is the carrier's own. `parts` is the
    old name of `messages`.
    """

    connector: str | None
    status: StatusName
    reason: ReasonName
    carrier_code: str | None
    messages: int
    parts: int


class FailureReport(msgspec.Struct):
    """What messages created in [since, until) failed of, in the carriers' own words; the most
    frequent first, at most 200 codes. `messages` counts those of all codes; `complete` says whether
    all codes are told. `parts` is the old name of `messages`.
    """

    since: datetime
    until: datetime
    as_of: datetime
    provisional: bool
    failures: Sequence[FailureCount]
    messages: int
    parts: int
    complete: bool


class Seconds(msgspec.Struct):
    """Seconds that half, 95 % and 99 % of a category's messages took at most, to 2.5 %. `parts` is
    the old name of `messages`.
    """

    category: str
    messages: int
    parts: int
    p50: float
    p95: float
    p99: float


class LatencyReport(msgspec.Struct):
    """How long messages created in [since, until) took: `answer` from acceptance to the carrier's
    last answer, `receipt` from the last submit to the last receipt. A schedule and quiet hours
    count as waiting. `accepted_to_submit` and `submit_to_receipt` are their old names.
    """

    since: datetime
    until: datetime
    as_of: datetime
    provisional: bool
    answer: Sequence[Seconds]
    receipt: Sequence[Seconds]
    accepted_to_submit: Sequence[Seconds]
    submit_to_receipt: Sequence[Seconds]


def failure_report(found: Failures, until: datetime) -> FailureReport:
    """The answer, about a span that is told to end with `until`."""
    failures = [
        FailureCount(
            each.connector,
            each.status,
            each.reason,
            each.carrier_code,
            each.messages,
            each.messages,
        )
        for each in found.failures
    ]
    return FailureReport(
        found.since,
        until,
        found.as_of,
        found.provisional,
        failures,
        found.messages,
        found.messages,
        found.complete,
    )


def latency_report(found: Latencies, until: datetime) -> LatencyReport:
    """The answer, about a span that is told to end with `until`."""
    answer, receipt = _seconds(found.answer), _seconds(found.receipt)
    return LatencyReport(
        found.since, until, found.as_of, found.provisional, answer, receipt, answer, receipt
    )


def group_rows(answer: ReportAnswer) -> Iterator[Row]:
    """A line for each group; without groups one of all together."""
    figures: Sequence[Figures] = answer.groups if answer.group_by else [answer.total]
    counts, rates = list(answer.total.counts), list(answer.total.rates)
    yield [*answer.group_by, *counts, *(name for rate in rates for name in rate_heads(rate))]
    for each in figures:
        key = each.key if isinstance(each, ReportGroup) else {}
        yield [
            *(key[name] for name in answer.group_by),
            *(each.counts.get(name) for name in counts),
            *(cell for name in rates for cell in rate_cells(each.rates[name])),
        ]


def failure_rows(answer: FailureReport) -> Iterator[Row]:
    """A line for each code."""
    heads = ("connector", "status", "reason", "carrier_code", "messages")
    yield heads
    for each in answer.failures:
        yield [getattr(each, head) for head in heads]


def latency_rows(answer: LatencyReport) -> Iterator[Row]:
    """A line for each kind and category."""
    heads = ("category", "messages", "p50", "p95", "p99")
    yield ["kind", *heads]
    for kind in _LATENCY_KINDS:
        for each in getattr(answer, kind):
            yield [kind, *(getattr(each, head) for head in heads)]


def csv_response(rows: Iterator[Row], about: Timely, headers: Mapping[str, str]) -> web.Response:
    """The rows as UTF-8 with a head line; what they are about stands in the header."""
    told = {
        "Report-As-Of": about.as_of.isoformat(),
        "Report-Provisional": str(about.provisional).lower(),
    }
    return web.Response(
        text="".join(map(csv_line, rows)),
        content_type=CSV,
        charset="utf-8",
        headers={**headers, **told},
    )


def _seconds(found: Sequence[Latency]) -> list[Seconds]:
    return [
        Seconds(each.category, each.messages, each.messages, each.p50, each.p95, each.p99)
        for each in found
    ]


def rate_heads(rate: str) -> Sequence[str]:
    """The columns of a rate."""
    parts = ("numerator", "denominator", "low", "high", "verdict")
    return [rate, *(f"{rate}_{part}" for part in parts)]


def rate_cells(rate: Rate) -> Row:
    """Its cells in them."""
    verdict = None if rate.verdict is UNSET else str(rate.verdict)
    return [rate.value, rate.numerator, rate.denominator, rate.low, rate.high, verdict]
