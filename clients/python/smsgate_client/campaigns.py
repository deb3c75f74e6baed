"""Owns campaigns: what is asked for, what is answered, and their words. Must not ask.

Their experiments are in experiments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime

from smsgate_client.experiments import Decision, Experiment
from smsgate_client.shapes import named
from smsgate_client.words import Weekday, Word


class CampaignState(Word):
    """Where a campaign stands."""

    DRAFT = "draft"
    TESTING = "testing"
    CANARY = "canary"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    CANCELED = "canceled"


class CampaignCategory(Word):
    """What a campaign may be about."""

    MARKETING = "marketing"
    SERVICE = "service"
    TRANSACTIONAL = "transactional"


class BestHour(Word):
    """When in their day people are written to."""

    BEST = "best"


class HolidayRule(Word):
    """What a public holiday of the recipient's country means to a campaign."""

    SKIP = "skip"
    SEND = "send"
    ONLY = "only"


class WaitsFor(Word):
    """What a campaign waits for when nothing of it moves."""

    START = "start"
    CONNECTOR_DOWN = "connector_down"
    WINDOW_CLOSED = "window_closed"
    HELD = "held"
    NO_ROOM = "no_room"
    RECALL = "recall"
    SLOT = "slot"
    RATE = "rate"
    CANARY_VERDICT = "canary_verdict"
    EXPERIMENT = "experiment"
    RECEIPTS = "receipts"


class RecipientStatus(Word):
    """What became of one of the plan. A message has a status of its own."""

    WAITING = "waiting"
    FEEDING = "feeding"
    HOLDOUT = "holdout"
    SKIPPED = "skipped"
    MESSAGE = "message"


class Unresponsive(Word):
    """Whether whom recalls have moved to nothing is left out."""

    EXCLUDE = "exclude"
    INCLUDE = "include"


class WithinGap(Word):
    """What becomes of whom the account texted a moment ago."""

    SKIP = "skip"
    WAIT = "wait"


@dataclass(frozen=True)
class Audience:
    """Contacts in a segment's expression, without those who have one of the tags `exclude`.

    Whom recalls have moved to nothing is left out of a recall by default.
    """

    segment: str
    exclude: tuple[str, ...] = ()
    unresponsive: Unresponsive | None = None


@dataclass(frozen=True)
class Arm:
    """One of the texts: a version of a template, as in `tpl_…@3`."""

    template: str
    weight: int = 1


@dataclass(frozen=True)
class Canary:
    """The share that goes first; 0: nobody does."""

    share: float = 0.01


@dataclass(frozen=True)
class WindowHours:
    """From and to an hour, as in `10:00`; of some days, or of each."""

    start: str = field(metadata=named("from"))
    end: str = field(metadata=named("to"))
    days: tuple[Weekday, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """When it goes. `window` names hours or has them; `spread` is as in `PT4H`.

    `hour`: `best`, for each person's own within the window.
    """

    start: datetime | None = None
    end: datetime | None = None
    window: str | WindowHours | None = None
    zone: str = "recipient"
    hour: BestHour | None = None
    holidays: HolidayRule | None = None
    spread: str | None = None
    rate: int | None = None
    ramp: bool = False


@dataclass(frozen=True)
class CampaignSpec:
    """A campaign as its author writes it. Budgets are refused so far."""

    name: str
    audience: Audience
    arms: tuple[Arm, ...]
    _: KW_ONLY
    goal: str | None = None
    category: CampaignCategory = CampaignCategory.MARKETING
    sender: str | None = field(default=None, metadata=named("from"))
    holdout: float = 0.0
    conversion: str = "order_paid"
    canary: Canary = Canary()
    schedule: Schedule = Schedule()
    within_gap: WithinGap = WithinGap.SKIP
    report_segments: tuple[str, ...] = ()
    budget: object = None
    experiment: Experiment | None = None


@dataclass(frozen=True, kw_only=True)
class PlanParts:
    """Parts of its messages. Where `rendered` is less than `planned`, `total` is an estimate."""

    least: int
    median: int
    most: int
    total: int
    rendered: int


@dataclass(frozen=True, kw_only=True)
class PlanWarning:
    """What speaks against a plan, and does not hinder its start. `pointer`: what it is about."""

    code: str
    detail: str
    pointer: str


@dataclass(frozen=True, kw_only=True)
class CampaignPlan:
    """Who would get it. Start it with the number `planned`. `unsendable` counts by reason, of the
    texts that were made; `connectors` are parts by connector; `finish_at` is the earliest.
    """

    at: datetime
    today: str
    segment: int
    planned: int
    holdout: int
    global_holdout: int
    canary: int
    arms: Mapping[str, int]
    test: Mapping[str, int]
    excluded: Mapping[str, int]
    parts: PlanParts | None
    unsendable: Mapping[str, int]
    connectors: Mapping[str, int]
    finish_at: datetime | None
    warnings: tuple[PlanWarning, ...]
    capped: int
    segments: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """What it waits for. `until`: a moment, if one is known. `detail`: of whom."""

    what: WaitsFor
    until: datetime | None
    detail: str | None


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """A campaign as it stands. Give its `revision` with a change; `version` counts edits."""

    id: str
    state: CampaignState
    version: int
    revision: int
    reason: str | None
    resumes_as: CampaignState | None
    author: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    planned_at: datetime | None
    planned: int
    canary: int
    fed: int
    skipped: Mapping[str, int]
    test: int | None
    decision: Decision | None
    capped: Mapping[str, int]
    plan: CampaignPlan | None
    spec: CampaignSpec
    waiting_for: Waiting | None = None
    object: str = "campaign"


@dataclass(frozen=True, kw_only=True)
class CampaignTestText:
    """One text of a test, on its way or refused with the code `error`."""

    arm: int
    to: str | None
    id: str | None = None
    status: str | None = None
    text: str | None = None
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class CampaignTest:
    """The campaign, and what became of each text."""

    campaign: Campaign
    messages: tuple[CampaignTestText, ...]


@dataclass(frozen=True, kw_only=True)
class CampaignStart:
    """How many messages whoever starts it has seen in the plan."""

    confirm_recipients: int


@dataclass(frozen=True, kw_only=True)
class CampaignPause:
    """Why it is paused."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class CampaignResume:
    """Why it goes on although what it was paused for still stands."""

    override: str | None = None


@dataclass(frozen=True, kw_only=True)
class CanceledCampaign:
    """It has ended; `in_flight` messages can no longer be stopped."""

    campaign: Campaign
    in_flight: int


@dataclass(frozen=True, kw_only=True)
class CampaignRecipient:
    """One of the plan. `arm` -1 is the holdout, -2 that of all campaigns of the quarter.

    `slot` counts minutes after the start, or after the decision of who waited for it.

    `rule` and `detail` say of a capped one by which cap, and why.
    """

    seq: int
    contact: str
    arm: int
    slot: int
    to: str | None
    status: RecipientStatus
    message: str | None = None
    reason: str | None = None
    rule: str | None = None
    detail: str | None = None
