"""Campaigns as the API shows them and is asked about them.

Owns these shapes. Must not store or ask anything. What an author writes of a campaign is a Spec.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from campaigns.reporting.people import RecipientStatus, RecipientView
from campaigns.running.spec import Spec
from campaigns.running.standing import Waiting
from campaigns.running.stopping import PREFIX
from campaigns.running.store import StoredCampaign
from messages.models import Refused, Verdict
from storage.ids import format_id
from web.api.campaign_plan_shapes import PlanResource, plan_of
from web.api.experiment_shapes import DecisionResource, decision_resource
from web.edge.cursors import PageQuery
from web.edge.reveals import shown

StateName = Literal["draft", "testing", "canary", "running", "paused", "finished", "canceled"]
TESTS_MAX = 20


class CampaignQuery(PageQuery, kw_only=True):
    """Which campaigns."""

    state: Annotated[StateName | None, Meta(description="Those in this state only.")] = None


class CampaignResource(msgspec.Struct, kw_only=True):
    """A campaign as it stands. `revision` is what `If-Match` names; `version` counts edits.

    `planned` are the people of the plan with the holdout. `fed` are those of them whose turn has
    come. `skipped` counts those who got no message, by reason. `test`: so many of them are in the
    test of an experiment, and the others wait until it is decided.
    """

    id: str
    object: str = "campaign"
    state: StateName
    version: int
    revision: int
    reason: Annotated[str | None, Meta(description="Why it is paused.")]
    resumes_as: StateName | None
    author: Annotated[str, Meta(description="Of this version.")]
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    planned_at: datetime | None
    planned: int
    canary: int
    fed: int
    skipped: Mapping[str, int]
    test: int | None
    decision: DecisionResource | None
    capped: Annotated[Mapping[str, int], Meta(description="Of the skipped, by the rule of a cap.")]
    plan: Annotated[
        PlanResource | None,
        Meta(description="Who gets it, as planned; `finish_at` is as of the start."),
    ]
    waiting_for: Annotated[
        WaitingView | None,
        Meta(description="Of one campaign that is asked for by itself. null: it moves."),
    ] = None
    spec: Spec


class WaitingView(msgspec.Struct, kw_only=True):
    """What a campaign under way waits for when nothing of it moves. `until`: a moment, if one is
    known. `detail`: which connectors, hold or breaker.
    """

    what: Annotated[
        str,
        Meta(
            extra_json_schema={
                "enum": [
                    "start", "connector_down", "window_closed", "held", "no_room", "recall",
                    "slot", "rate", "canary_verdict", "experiment", "receipts",
                ]
            }
        ),
    ]  # fmt: skip
    until: datetime | None
    detail: str | None


class CampaignPage(msgspec.Struct):
    """A page of campaigns, the latest made first."""

    data: list[CampaignResource]
    next_cursor: str | None


class TestRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Where the texts of all arms are sent to, whatever the hour."""

    to: Annotated[tuple[str, ...], Meta(description="1 to 20 numbers in E.164 form.")]


class TestMessage(msgspec.Struct, kw_only=True):
    """One text of a test. `error`: the code of a refusal."""

    arm: int
    to: str | None
    id: str | UnsetType = UNSET
    status: str | UnsetType = UNSET
    text: str | UnsetType = UNSET
    error: str | UnsetType = UNSET


class TestAnswer(msgspec.Struct, kw_only=True):
    """The campaign, and what became of each text. Tests count in no statistic of it."""

    campaign: CampaignResource
    messages: list[TestMessage]


class StartRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The start, by somebody who has seen the plan."""

    confirm_recipients: Annotated[
        int, Meta(description="How many messages the plan names; 5 % off at most.")
    ]


class PauseRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Why it is paused."""

    reason: Annotated[str, Meta(description="1 to 500 printable characters.")]


class ResumeRequest(msgspec.Struct, forbid_unknown_fields=True):
    """That it goes on."""

    override: Annotated[
        str | None,
        Meta(
            description="Why it goes on although what it was paused for still stands, or a link "
            "does not answer: 1 to 500 printable characters, kept on record."
        ),
    ] = None


class CanceledCampaign(msgspec.Struct, kw_only=True):
    """A campaign that has ended for good. `in_flight` messages can no longer be stopped: exactly
    so many.
    """

    campaign: CampaignResource
    in_flight: int


class RecipientQuery(PageQuery, kw_only=True):
    """Recipients in the order of sending."""


class RecipientResource(msgspec.Struct, kw_only=True):
    """One of the plan. `arm` -1 is the holdout, -2 that of all campaigns of the quarter.

    `slot` counts minutes after the start, or after the decision of who waited for it.

    `rule` and `detail` tell of a capped one by which cap, and why.
    """

    seq: int
    contact: str
    arm: int
    slot: int
    to: str | None
    status: RecipientStatus
    message: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    rule: str | UnsetType = UNSET
    detail: str | UnsetType = UNSET


class RecipientPage(msgspec.Struct):
    """A page of recipients."""

    data: list[RecipientResource]
    next_cursor: str | None


def resource(stored: StoredCampaign, waiting: Waiting | None = None) -> CampaignResource:
    """As it is shown."""
    return CampaignResource(
        id=format_id(PREFIX, stored.id),
        state=_state(stored.state.label),
        version=stored.version,
        revision=stored.revision,
        reason=stored.reason,
        resumes_as=None if stored.resumes_as is None else _state(stored.resumes_as.label),
        author=stored.author,
        created_at=stored.created_at,
        started_at=stored.started_at,
        ended_at=stored.ended_at,
        planned_at=stored.planned_at,
        planned=stored.planned if stored.planned_at else 0,
        canary=stored.canary if stored.planned_at else 0,
        fed=stored.fed,
        skipped=stored.skipped,
        test=stored.test_end if stored.planned_at else None,
        decision=decision_resource(stored.decided),
        capped=stored.capped,
        plan=plan_of(stored),
        waiting_for=None
        if waiting is None
        else WaitingView(what=waiting.what.value, until=waiting.until, detail=waiting.detail),
        spec=stored.spec,
    )


def _state(label: str) -> StateName:
    named: StateName = msgspec.convert(label, StateName)
    return named


def test_answer(
    stored: StoredCampaign, numbers: Sequence[str], verdicts: Sequence[Verdict | Refused]
) -> TestAnswer:
    """A test as it is answered: the arms one after the other, each to all numbers."""
    messages = []
    for place, verdict in enumerate(verdicts):
        arm, which = divmod(place, len(numbers))
        told = TestMessage(arm=arm, to=shown(numbers[which]))
        if isinstance(verdict, Refused):
            told.error = verdict.code
        else:
            told.id = format_id("msg", verdict.id)
            told.status, told.text = verdict.status, verdict.text
        messages.append(told)
    return TestAnswer(campaign=resource(stored), messages=messages)


def recipient_resource(view: RecipientView) -> RecipientResource:
    """One of a plan as it is shown."""
    return RecipientResource(
        seq=view.seq,
        contact=format_id("con", view.contact),
        arm=view.arm,
        slot=view.slot,
        to=shown(view.to),
        status=view.status,
        message=UNSET if view.message is None else format_id("msg", view.message),
        reason=UNSET if view.reason is None else view.reason,
        rule=UNSET if view.rule is None else view.rule,
        detail=UNSET if view.detail is None else view.detail,
    )
