"""Owns the reports, as values. A rate over nothing has no value, which is not 0.

Must not compute one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from smsgate_client.words import Reason, Status


@dataclass(frozen=True, kw_only=True)
class Rate:
    """A share with its 95 % interval from `low` to `high`."""

    numerator: int
    denominator: int
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What was counted, and the rates of it."""

    counts: Mapping[str, int]
    rates: Mapping[str, Rate]


@dataclass(frozen=True, kw_only=True)
class Group:
    """The figures of one group; `key` has a value for each dimension asked for."""

    counts: Mapping[str, int]
    rates: Mapping[str, Rate]
    key: Mapping[str, str | None]


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A span in which clicks were lost."""

    since: datetime
    until: datetime
    clicks_lost: int


@dataclass(frozen=True, kw_only=True)
class Report:
    """One page of groups; `total` is over all of them."""

    since: datetime
    until: datetime
    group_by: tuple[str, ...]
    groups: tuple[Group, ...]
    total: Figures
    next_cursor: str | None
    click_gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FailureCount:
    """How many parts failed so."""

    connector: str | None
    status: Status
    reason: Reason
    carrier_code: str | None
    parts: int


@dataclass(frozen=True, kw_only=True)
class FailureReport:
    """Why parts failed; `complete` says whether all codes are told."""

    since: datetime
    until: datetime
    failures: tuple[FailureCount, ...]
    parts: int
    complete: bool


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Seconds that half, 95 % and 99 % of the parts took at most."""

    category: str
    parts: int
    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, kw_only=True)
class LatencyReport:
    """How long it took from request to submit_sm, and from there to the receipt."""

    accepted_to_submit: tuple[Latency, ...]
    submit_to_receipt: tuple[Latency, ...]
    since: datetime
    until: datetime
