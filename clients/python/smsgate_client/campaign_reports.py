"""Owns what became of campaigns and their people, as values. Must not ask, nor compute a rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from smsgate_client.experiments import ExperimentFigures, HoldoutFigures
from smsgate_client.reports import Rate
from smsgate_client.words import Word


class ReportBy(Word):
    """What groups of a report are told apart by."""

    ARM = "arm"
    VERSION = "version"
    SEGMENT = "segment"
    TEMPLATE = "template"
    HOUR = "hour"
    OPERATOR = "operator"


class WhyOutcome(Word):
    """What happened to a contact in a campaign."""

    NOT_PLANNED = "not_planned"
    FORGOTTEN = "forgotten"
    NOT_IN_SEGMENT = "not_in_segment"
    EXCLUDED = "excluded"
    HOLDOUT = "holdout"
    WAITING = "waiting"
    FEEDING = "feeding"
    SKIPPED = "skipped"
    MESSAGE = "message"


class MetricKind(Word):
    """What a figure is."""

    COUNT = "count"
    RATE = "rate"
    MEAN = "mean"
    HOURS = "hours"


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A rate by a `definition` of the registry, with its 95 % interval where it is a share."""

    numerator: int
    denominator: int
    value: float | None
    low: float | None
    high: float | None
    too_few: bool
    definition: str
    as_of: datetime
    provisional: bool


@dataclass(frozen=True, kw_only=True)
class CampaignStep:
    """The people who did one step after all before it."""

    event: str
    people: int
    of_delivered: Rate


@dataclass(frozen=True, kw_only=True)
class CampaignFigures:
    """What became of some messages. `click_hours`: clicks of people by hours since they went."""

    counts: Mapping[str, int]
    funnel: Mapping[str, int]
    rates: Mapping[str, Measured]
    click_hours: tuple[int, ...]
    half_life_hours: int | None
    planned: int | None = None
    steps: tuple[CampaignStep, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ArmFigures(CampaignFigures):
    """Of one arm."""

    arm: int
    template: str


@dataclass(frozen=True, kw_only=True)
class CampaignGroup(CampaignFigures):
    """Of one group; `(others)` are small ones together."""

    key: str | None


@dataclass(frozen=True, kw_only=True)
class OptOutSeconds:
    """How long opt-outs took until they held."""

    opt_outs: int
    p50: float | None
    p95: float | None
    max: float | None


@dataclass(frozen=True, kw_only=True)
class Compliance:
    """What was found of `messages` that were sent."""

    messages: int
    without_consent: int
    without_evidence: int
    outside_hours: int
    caps_exceeded: int | None
    opt_out_seconds: OptOutSeconds


@dataclass(frozen=True, kw_only=True)
class CampaignReport:
    """What became of a campaign. While it is `provisional`, some wait or are on their way."""

    id: str
    as_of: datetime
    provisional: bool
    planned: int
    waiting: int
    skipped: Mapping[str, int]
    kpis: tuple[str, ...]
    window_hours: int
    by: ReportBy
    arms: tuple[ArmFigures, ...]
    groups: tuple[CampaignGroup, ...]
    merged: int
    total: CampaignFigures
    experiment: ExperimentFigures | None
    holdout: HoldoutFigures
    compliance: Compliance | None = None


@dataclass(frozen=True, kw_only=True)
class ExcludedContact:
    """One of the segment who is not planned."""

    contact: str
    to: str | None
    reason: str


@dataclass(frozen=True, kw_only=True)
class WhyMessage:
    """The message, as it stands; without a status it is no longer stored."""

    id: str
    status: str | None
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class Why:
    """What happened to a contact in one campaign; `text` says it in words."""

    campaign: str
    name: str
    state: str
    outcome: WhyOutcome
    text: str
    reason: str | None = None
    instead: str | None = None
    to: str | None = None
    arm: int | None = None
    slot: int | None = None
    message: WhyMessage | None = None


@dataclass(frozen=True, kw_only=True)
class MetricDefinition:
    """The sum of counts by the sum of others, less the last."""

    definition: str
    text: str
    numerator: tuple[str, ...]
    denominator: tuple[str, ...]
    less: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A figure of a campaign's report; the first definition holds where none is asked for."""

    name: str
    label: str
    kind: MetricKind
    definitions: tuple[MetricDefinition, ...]
    settles_hours: int
