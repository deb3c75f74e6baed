"""One value of a metric, as the packages hand it to /metrics.

Owns these shapes. Must not know which metrics there are (catalogue.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec


class Sample(msgspec.Struct, frozen=True):
    """One value of a metric in the catalogue, with its labels in the catalogue's order."""

    name: str
    value: float
    labels: tuple[str, ...] = ()


class HistogramSample(msgspec.Struct, frozen=True):
    """One histogram: cumulative counts by upper bound (the last is +Inf), and the sum."""

    name: str
    buckets: Sequence[tuple[float, int]]
    total: float
    labels: tuple[str, ...] = ()


Snapshot = Callable[[], Iterable[Sample | HistogramSample]]
