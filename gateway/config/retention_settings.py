"""How long what was stored is kept.

Owns the section `[retention]`. Must not know who uses a setting.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from gateway.config.base import Settings

KEPT_DAYS_MIN = 7  # references, receipts and repeats look days back
_DAYS_MAX = 36_500
_Days = Annotated[int, Meta(ge=0, le=_DAYS_MAX)]
_UNSET = "Unset: 90, or 400 in a database that an earlier release has made."


class RetentionSettings(Settings, frozen=True, kw_only=True):
    """Days after which whole days (UTC) are deleted for good. 0: kept for ever; otherwise at least
    7. Of a day with a message that still waits nothing goes, nor of the days after it.
    """

    messages_days: Annotated[
        _Days | None,
        Meta(
            description="Messages with their results and timelines, what is known of their "
            f"batches, and the terms of processes that ended. {_UNSET}",
        ),
    ] = None
    clicks_days: Annotated[
        int,
        Meta(
            ge=0,
            le=_DAYS_MAX,
            description="Clicks on short links, and when clicks could not be kept.",
        ),
    ] = 400
    inbound_days: Annotated[_Days | None, Meta(description=f"Messages from handsets. {_UNSET}")] = (
        None
    )
    evidence_days: Annotated[
        int,
        Meta(
            ge=0,
            le=_DAYS_MAX,
            description="What carriers told of each number, by day. Of more than 400 days nothing "
            "counts.",
        ),
    ] = 400
    raw_days: Annotated[
        int,
        Meta(ge=0, le=_DAYS_MAX, description="What `keep_raw` of a connector keeps of deliver_sm."),
    ] = 30
    webhooks_days: Annotated[
        int,
        Meta(
            ge=0,
            le=_DAYS_MAX,
            description="Events that webhooks told, and the log of their deliveries: what can be "
            "replayed. Endpoints that were deleted.",
        ),
    ] = 30
    suppressions_days: Annotated[
        int,
        Meta(ge=0, le=_DAYS_MAX, description="Suppressions that have expired, from then on."),
    ] = 400
    complaints_days: Annotated[
        int, Meta(ge=0, le=_DAYS_MAX, description="Complaints about messages.")
    ] = 1_826
    audit_days: Annotated[
        int,
        Meta(
            ge=0,
            le=_DAYS_MAX,
            description="The record of changes. It is cut at its beginning, and a row says so.",
        ),
    ] = 1_826
    imports_days: Annotated[
        int,
        Meta(
            ge=0,
            le=_DAYS_MAX,
            description="Verdicts of imports, of suppressions and of contacts. What was added "
            "stays.",
        ),
    ] = 90
    events_days: Annotated[
        int,
        Meta(
            ge=0,
            le=_DAYS_MAX,
            description="What contacts did, event by event. Sums by contact stay as long as it "
            "does.",
        ),
    ] = 400
    rollups_days: Annotated[
        int,
        Meta(
            ge=0,
            le=_DAYS_MAX,
            description="What reports count, by quarter of an hour: outcomes, reasons, attempts "
            "and latencies.",
        ),
    ] = 400
    rollup_totals_days: Annotated[
        int, Meta(ge=0, le=_DAYS_MAX, description="The same in sum of a day (UTC): outcomes alone.")
    ] = 1_826
    rollup_tags_days: Annotated[
        int, Meta(ge=0, le=_DAYS_MAX, description="What reports count by tag.")
    ] = 100
