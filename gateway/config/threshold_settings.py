"""When a rate of a report is called bad.

Owns the section `[thresholds]`. Must not know who uses a setting.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from dlr.thresholds import (
    DELIVERY_MIN,
    SAMPLES_MIN,
    UNSUBSCRIBE_MAX,
    UNSUBSCRIBE_SAMPLES_MIN,
)
from gateway.config.base import Settings

_Share = Meta(ge=0, le=1)
_Samples = Meta(ge=1, le=1_000_000_000)


class ThresholdSettings(Settings, frozen=True, kw_only=True):
    """A rate is `below` or `above` its threshold when its whole 95 % interval is. Of few messages
    nothing is said.
    """

    delivery_min: Annotated[
        float,
        _Share,
        Meta(description="The least `delivery_rate` and `confirmed_rate`, as a share."),
    ] = DELIVERY_MIN
    delivery_samples_min: Annotated[
        int, _Samples, Meta(description="Messages below which they have no verdict.")
    ] = SAMPLES_MIN
    unsubscribe_max: Annotated[
        float, _Share, Meta(description="The highest `unsubscribe_rate_…`, as a share.")
    ] = UNSUBSCRIBE_MAX
    unsubscribe_samples_min: Annotated[
        int, _Samples, Meta(description="Messages below which they have no verdict.")
    ] = UNSUBSCRIBE_SAMPLES_MIN
    uctr_delivered_min: Annotated[
        Annotated[float, _Share] | None,
        Meta(description="The least `uctr_delivered`; unset: no verdict."),
    ] = None
    landing_rate_min: Annotated[
        Annotated[float, _Share] | None,
        Meta(description="The least `landing_rate`; unset: no verdict."),
    ] = None
    cvr_click_min: Annotated[
        Annotated[float, _Share] | None,
        Meta(description="The least `cvr_click`; unset: no verdict."),
    ] = None
    click_samples_min: Annotated[
        int, _Samples, Meta(description="What these three need to have a verdict.")
    ] = SAMPLES_MIN
