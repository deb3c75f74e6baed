"""Owns the reports, as values. A rate over nothing has no value, which is not 0.

Must not compute one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from smsgate_client.words import Basis, Reason, Status, Verdict


@dataclass(frozen=True, kw_only=True)
class Rate:
    """A share with its 95 % interval from `low` to `high`; `verdict` is what that shows about the
    rate's threshold.
    """

    numerator: int
    denominator: int
    value: float | None
    low: float | None
    high: float | None
    verdict: Verdict | None = None


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """A floor, or a ceiling; fewer than `samples_min` show nothing."""

    limit: float
    samples_min: int
    ceiling: bool = False


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What was counted, and the rates of it."""

    counts: Mapping[str, int]
    rates: Mapping[str, Rate]


@dataclass(frozen=True, kw_only=True)
class Group(Figures):
    """The figures of one group; `key` has a value for each dimension asked for."""

    key: Mapping[str, str | None]


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A span in which clicks were lost."""

    since: datetime
    until: datetime
    clicks_lost: int


@dataclass(frozen=True, kw_only=True)
class Report:
    """One page of groups; `total` is over all of them. Nothing behind `as_of` is counted; while it
    is `provisional`, some of it may change.
    """

    since: datetime
    until: datetime
    zone: str
    as_of: datetime
    provisional: bool
    basis: Basis
    group_by: tuple[str, ...]
    groups: tuple[Group, ...]
    total: Figures
    thresholds: Mapping[str, Threshold]
    next_cursor: str | None
    click_gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FirstClick:
    """Seconds from delivery to a person's first click, of so many messages."""

    messages: int
    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, kw_only=True)
class Step:
    """Who did a step after all before it: of those who clicked, and of those before."""

    event: str
    people: int
    of_clicked: Rate
    of_previous: Rate


@dataclass(frozen=True, kw_only=True)
class ClickFigures:
    """What clicks led to. `hours`: clicks of people by full hours since acceptance; in
    `half_life_hours` of them half came. `revenue`: decimals by currency.
    """

    counts: Mapping[str, int]
    rates: Mapping[str, Rate]
    first_click: FirstClick | None
    hours: tuple[int, ...]
    half_life_hours: int | None
    revenue: Mapping[str, str]
    steps: tuple[Step, ...]


@dataclass(frozen=True, kw_only=True)
class ClickGroup(ClickFigures):
    """The same of one group; `key` has a value for each dimension asked for."""

    key: Mapping[str, str | None]


@dataclass(frozen=True, kw_only=True)
class ClickReport:
    """One page of groups; `total` is over all of them."""

    since: datetime
    until: datetime
    zone: str
    as_of: datetime
    provisional: bool
    group_by: tuple[str, ...]
    groups: tuple[ClickGroup, ...]
    total: ClickFigures
    thresholds: Mapping[str, Threshold]
    next_cursor: str | None
    click_gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FailureCount:
    """How many messages failed so; `parts` is the old name of `messages`."""

    connector: str | None
    status: Status
    reason: Reason
    carrier_code: str | None
    messages: int
    parts: int


@dataclass(frozen=True, kw_only=True)
class FailureReport:
    """Why messages failed; `complete` says whether all codes are told. `parts` is the old name of
    `messages`.
    """

    since: datetime
    until: datetime
    as_of: datetime
    provisional: bool
    failures: tuple[FailureCount, ...]
    messages: int
    parts: int
    complete: bool


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Seconds that half, 95 % and 99 % of the messages took at most, to 2.5 %. `parts` is the old
    name of `messages`.
    """

    category: str
    messages: int
    parts: int
    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, kw_only=True)
class LatencyReport:
    """How long it took from request to the carrier's last answer, and from the last submit to the
    last receipt. `accepted_to_submit` and `submit_to_receipt` are their old names.
    """

    since: datetime
    until: datetime
    as_of: datetime
    provisional: bool
    answer: tuple[Latency, ...]
    receipt: tuple[Latency, ...]
    accepted_to_submit: tuple[Latency, ...]
    submit_to_receipt: tuple[Latency, ...]


@dataclass(frozen=True, kw_only=True)
class PowerOfSize:
    """What `per_arm` recipients show: this difference so often, and no smaller rate as often as
    asked than `smallest_shown`.
    """

    per_arm: int
    enough: bool
    power: float
    smallest_shown: float | None


@dataclass(frozen=True, kw_only=True)
class PowerLook:
    """A planned look: when each arm has so many, and what |z| has to reach there."""

    number: int
    per_arm: int
    bound: float


@dataclass(frozen=True, kw_only=True)
class Power:
    """The recipients that an experiment needs. A winner is named from `matured_min` an arm on."""

    base: float
    other: float
    arms: int
    alpha: float
    power: float
    alpha_each: float
    per_arm: int
    matured_min: int
    total: int
    size: PowerOfSize | None = None
    looks: tuple[PowerLook, ...] | None = None
