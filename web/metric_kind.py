"""What is said of a metric.

Owns the shape. Must not name one.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class MetricKind(msgspec.Struct, frozen=True):
    """One entry of the catalogue. Counters are named `…_total`, times are in seconds."""

    type: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
