"""The plan: the audience of a campaign frozen, each with an arm and a slot, or with a reason.

Owns `campaign_recipient` and `campaign_excluded`. Must not feed anybody. Everybody in the segment
is in one of the two afterwards, and the counts say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from campaigns.experiments.assignment import BUCKETS, weighted
from campaigns.running.schedule import CANARY_MAX, CANARY_MIN, canary_size
from campaigns.running.spec import Spec, spread_minutes
from campaigns.running.stopping import PREFIX
from campaigns.segments.compiling import compiled
from campaigns.segments.names import Moment, Names
from campaigns.segments.reading import names_of
from messages.models import FieldError
from storage import sql
from storage.categories import Category
from storage.ids import format_id
from storage.pool import Connection

_SQL = sql.load("campaigns")
PLAN_SECONDS_MAX = 120.0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan counted. `arms`: recipients by arm; `holdout` is apart from them."""

    at: datetime
    today: str
    segment: int
    planned: int  # who gets a message
    holdout: int
    arms: Mapping[str, int]
    excluded: Mapping[str, int]
    canary: int


class PlanRefused(Exception):
    """The audience cannot be read: every mistake. Nothing is planned."""

    def __init__(self, faults: list[FieldError]) -> None:
        super().__init__(faults[0].detail)
        self.faults = faults


async def plan(
    connection: Connection,
    campaign: int,
    account: int,
    spec: Spec,
    *,
    moment: Moment,
    sender: str,
    needs_consent: bool,
) -> Plan:
    """Plan anew, in the caller's transaction, which holds the campaign's row.

    Raises SegmentRefused, PlanRefused.
    """
    names = await names_of(connection, account, spec.audience.segment)
    tags = _tags(names, spec)
    await connection.execute(_SQL["plan_forget"], campaign, timeout=PLAN_SECONDS_MAX)
    await connection.execute(_SQL["plan_forget_excluded"], campaign, timeout=PLAN_SECONDS_MAX)
    await connection.execute(_SQL["plan_table"])
    found = compiled(spec.audience.segment, names, moment)
    audience = _SQL["plan_audience"].format(segment=found.sql)
    await connection.execute(audience, *found.parameters, timeout=PLAN_SECONDS_MAX)
    await connection.execute("ANALYZE planned_audience")
    rows = await connection.fetch(
        _SQL["plan"], campaign, account, Category.of(spec.category), tags, needs_consent,
        list(weighted([arm.weight for arm in spec.arms])), round(spec.holdout * BUCKETS),
        spec.canary.share, CANARY_MIN, CANARY_MAX, spread_minutes(spec.schedule),
        format_id(PREFIX, campaign), sender,
        timeout=PLAN_SECONDS_MAX,
    )  # fmt: skip
    arms = {row["name"]: row["people"] for row in rows if row["kind"] == "arm"}
    excluded = {row["name"]: row["people"] for row in rows if row["kind"] == "excluded"}
    holdout, rows_planned = arms.pop("-1", 0), sum(arms.values())
    made = Plan(
        at=moment.now,
        today=moment.today.isoformat(),
        segment=rows_planned + holdout + sum(excluded.values()),
        planned=rows_planned,
        holdout=holdout,
        arms={str(arm): arms.get(str(arm), 0) for arm in range(len(spec.arms))},
        excluded=excluded,
        canary=canary_size(rows_planned + holdout, spec.canary.share),
    )
    await connection.execute(
        _SQL["plan_made"], campaign, made.at, rows_planned + holdout, made.canary,
        msgspec.to_builtins(made),
    )  # fmt: skip
    return made


def _tags(names: Names, spec: Spec) -> list[int]:
    """The ids of the tags that are left out. Raises PlanRefused for one that nobody has."""
    faults = [
        FieldError("tag_unknown", f"this account has no tag {tag}", f"/audience/exclude/{place}")
        for place, tag in enumerate(spec.audience.exclude)
        if tag not in names.tags
    ]
    if faults:
        raise PlanRefused(faults)
    return [names.tags[tag] for tag in spec.audience.exclude]
