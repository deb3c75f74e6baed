"""How long what was stored is kept.

Owns the section `[retention]`. Must not know who uses a setting.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from gateway.config.base import Settings

KEPT_DAYS_MIN = 7  # references, receipts and repeats look days back
_DAYS_MAX = 36_500


class RetentionSettings(Settings, frozen=True, kw_only=True):
    """Days after which whole days (UTC) are deleted for good. 0: kept for ever; otherwise at least
    7. Of a day with a message that still waits nothing goes, nor of the days after it.
    """

    messages_days: Annotated[
        int,
        Meta(
            ge=0,
            le=_DAYS_MAX,
            description="Messages with their results and timelines, and what is known of their "
            "batches.",
        ),
    ] = 400
    clicks_days: Annotated[int, Meta(ge=0, le=_DAYS_MAX, description="Clicks on short links.")] = (
        400
    )
    inbound_days: Annotated[
        int, Meta(ge=0, le=_DAYS_MAX, description="Messages from handsets.")
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
            "replayed.",
        ),
    ] = 30
