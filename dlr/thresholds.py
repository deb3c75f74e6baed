"""Thresholds as tests: a rate is only called bad when its sample says so.

Owns what a threshold is and its verdicts. Must not compute a rate or its bounds (`dlr/rates.py`).
Pure.

92 of 100 is not shown to be below 95 %: chance alone does that. 460 of 500 is.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

import msgspec

DELIVERY_MIN = 0.95
UNSUBSCRIBE_MAX = 0.02
SAMPLES_MIN = 200
UNSUBSCRIBE_SAMPLES_MIN = 500


class Verdict(StrEnum):
    """What a sample shows about a threshold."""

    TOO_FEW = "too_few"
    BELOW = "below"
    NOT_BELOW = "not_significantly_below"
    ABOVE = "above"
    NOT_ABOVE = "not_significantly_above"


class Threshold(msgspec.Struct, frozen=True):
    """`limit`, 0 to 1, is a floor, or a `ceiling`. Fewer than `samples_min` show nothing."""

    limit: float
    samples_min: int
    ceiling: bool = False


def verdict(threshold: Threshold, samples: int, low: float, high: float) -> Verdict:
    """What `samples`, whose share is between `low` and `high`, show about the threshold."""
    if samples < threshold.samples_min:
        return Verdict.TOO_FEW
    if threshold.ceiling:
        return Verdict.ABOVE if low > threshold.limit else Verdict.NOT_ABOVE
    return Verdict.BELOW if high < threshold.limit else Verdict.NOT_BELOW


def thresholds_of(
    *,
    delivery_min: float = DELIVERY_MIN,
    delivery_samples_min: int = SAMPLES_MIN,
    unsubscribe_max: float = UNSUBSCRIBE_MAX,
    unsubscribe_samples_min: int = UNSUBSCRIBE_SAMPLES_MIN,
    uctr_delivered_min: float | None = None,
    landing_rate_min: float | None = None,
    cvr_click_min: float | None = None,
    click_samples_min: int = SAMPLES_MIN,
) -> Mapping[str, Threshold]:
    """The threshold of each rate that has one, by the rate's name."""
    delivery = Threshold(delivery_min, delivery_samples_min)
    unsubscribe = Threshold(unsubscribe_max, unsubscribe_samples_min, ceiling=True)
    floors = {
        "uctr_delivered": uctr_delivered_min,
        "landing_rate": landing_rate_min,
        "cvr_click": cvr_click_min,
    }
    clicks = {
        name: Threshold(limit, click_samples_min)
        for name, limit in floors.items()
        if limit is not None
    }
    return MappingProxyType(
        {
            **clicks,
            "delivery_rate": delivery,
            "confirmed_rate": delivery,
            "unsubscribe_rate_sent": unsubscribe,
            "unsubscribe_rate_delivered": unsubscribe,
        }
    )
