"""Plans of campaigns as the API shows them.

Owns these shapes. Must not store or ask anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from campaigns.running.planning import Plan
from campaigns.running.store import StoredCampaign


class PlanPartsView(msgspec.Struct, kw_only=True):
    """Parts of its messages. Where `rendered` is less than `planned`, `total` is an estimate."""

    least: int
    median: int
    most: int
    total: int
    rendered: int


class PlanWarningResource(msgspec.Struct, kw_only=True):
    """What speaks against a plan, and does not hinder its start."""

    code: str
    detail: str
    pointer: str


class PlanResource(msgspec.Struct, kw_only=True):
    """Who would get it: `segment` is the sum of `planned`, both holdouts and `excluded`.

    The texts of up to 5 000 of them were made as they would be sent. Prices are not in it: there
    are no budgets yet.
    """

    at: datetime
    today: Annotated[str, Meta(description="The account's day, by which dates were compared.")]
    segment: int
    planned: int
    holdout: int
    global_holdout: Annotated[
        int, Meta(description="People who get no marketing campaign of this quarter.")
    ]
    canary: int
    arms: Annotated[Mapping[str, int], Meta(description="Messages by arm, from 0.")]
    test: Annotated[
        Mapping[str, int], Meta(description="Of them in the test of an experiment, by arm.")
    ]
    excluded: Annotated[Mapping[str, int], Meta(description="By reason.")]
    parts: Annotated[
        PlanPartsView | None, Meta(description="null: nothing of it could be written.")
    ]
    unsendable: Annotated[
        Mapping[str, int], Meta(description="Of the texts made, who would get none, by reason.")
    ]
    connectors: Annotated[
        Mapping[str, int], Meta(description="Parts by the connector that they would go by.")
    ]
    finish_at: Annotated[
        datetime | None,
        Meta(
            description="When it is through at the earliest: by rate, ramp, spread, hours, days "
            "off and the pace of its connectors. null: nobody knows, or never."
        ),
    ]
    warnings: Annotated[
        list[PlanWarningResource],
        Meta(
            description="What to look at before the start: rules of the linter that nobody waived, "
            "and `not_approved`, `ends_first`, `holidays_unknown`, `zone_unknown`, "
            "`cannot_be_written`."
        ),
    ]
    capped: Annotated[
        int, Meta(description="Of the messages, how many a cap would keep back if they went now.")
    ]
    segments: Annotated[
        Mapping[str, int], Meta(description="Messages by segment of `report_segments`.")
    ]


def plan_resource(made: Plan) -> PlanResource:
    """A plan as it is shown."""
    seen = made.foresight
    return PlanResource(
        at=made.at,
        today=made.today,
        segment=made.segment,
        planned=made.planned,
        holdout=made.holdout,
        global_holdout=made.global_holdout,
        canary=made.canary,
        arms=made.arms,
        test=made.test,
        excluded=made.excluded,
        parts=None
        if seen.parts is None
        else msgspec.convert(seen.parts, PlanPartsView, from_attributes=True),
        unsendable=seen.unsendable,
        connectors=seen.connectors,
        finish_at=seen.finish_at,
        capped=made.capped,
        segments=made.segments,
        warnings=[PlanWarningResource(**msgspec.structs.asdict(each)) for each in made.warnings],
    )


def plan_of(stored: StoredCampaign) -> PlanResource | None:
    """The plan that a campaign has; None: it has none."""
    if stored.planned_at is None:
        return None
    return plan_resource(msgspec.convert(stored.counts, Plan))
