"""Counters turned into Prometheus metrics at a scrape.

Owns that step, and the counters of HTTP requests. Must not name a metric (catalogue.py does), nor
count what other packages count: a snapshot of their plain counters is read here.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from math import inf

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from web.catalogue import CATALOGUE
from web.metric_kind import MetricKind
from web.samples import HistogramSample, Sample, Snapshot

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER_METHOD = "other"
HTTP_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class HttpCounters:
    """Requests by method, endpoint and status, and their duration in seconds.

    The route table bounds the endpoints. Unknown paths and methods count together.
    """

    def __init__(self) -> None:
        self._requests: dict[tuple[str, str, int], int] = {}
        self._buckets: dict[tuple[str, str], list[int]] = {}
        self._seconds: dict[tuple[str, str], float] = {}

    def record(self, method: str, endpoint: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        if method not in METHODS:
            method = OTHER_METHOD
        key = (method, endpoint, status)
        self._requests[key] = self._requests.get(key, 0) + 1
        asked = (method, endpoint)
        buckets = self._buckets.get(asked)
        if buckets is None:
            buckets = self._buckets[asked] = [0] * (len(HTTP_BUCKETS) + 1)
            self._seconds[asked] = 0.0
        buckets[bisect_left(HTTP_BUCKETS, seconds)] += 1
        self._seconds[asked] += seconds

    def samples(self) -> Iterator[Sample | HistogramSample]:
        """The two `sms_http_…` metrics."""
        for (method, endpoint, status), count in self._requests.items():
            yield Sample("sms_http_requests_total", count, (method, endpoint, str(status)))
        for asked, counts in self._buckets.items():
            yield HistogramSample(
                "sms_http_request_duration_seconds",
                cumulative(HTTP_BUCKETS, counts),
                self._seconds[asked],
                asked,
            )


def cumulative(bounds: Sequence[float], counts: Sequence[int]) -> list[tuple[float, int]]:
    """Cumulative counts of a histogram, from counts per bucket. There is one bucket more than
    bounds.
    """
    total = 0
    buckets: list[tuple[float, int]] = []
    for bound, count in zip((*bounds, inf), counts, strict=True):
        total += count
        buckets.append((bound, total))
    return buckets


class SnapshotCollector(Collector):
    """Reads the snapshots at a scrape. Raises for a sample that is not in the catalogue."""

    def __init__(self, snapshots: Iterable[Snapshot]) -> None:
        self._snapshots = tuple(snapshots)

    def collect(self) -> Iterator[Metric]:
        """One family for each metric that has samples, in the catalogue's order."""
        by_name: dict[str, list[Sample | HistogramSample]] = {}
        for snapshot in self._snapshots:
            for sample in snapshot():
                by_name.setdefault(sample.name, []).append(sample)
        if unknown := by_name.keys() - CATALOGUE.keys():
            raise KeyError(f"not in the catalogue of metrics: {', '.join(sorted(unknown))}")
        for name, kind in CATALOGUE.items():
            if name in by_name:
                yield _family(name, kind, by_name[name])


def _family(name: str, kind: MetricKind, samples: Iterable[Sample | HistogramSample]) -> Metric:
    family = _empty_family(name, kind)
    for sample in samples:
        if len(sample.labels) != len(kind.labels):
            raise ValueError(f"{name} has the labels {kind.labels}, not {sample.labels}")
        _add(family, sample)
    return family


def _empty_family(name: str, kind: MetricKind) -> Metric:
    if kind.type == "counter":
        return CounterMetricFamily(name, kind.help, labels=kind.labels)
    if kind.type == "gauge":
        return GaugeMetricFamily(name, kind.help, labels=kind.labels)
    return HistogramMetricFamily(name, kind.help, labels=kind.labels)


def _add(family: Metric, sample: Sample | HistogramSample) -> None:
    match sample, family:
        case HistogramSample(), HistogramMetricFamily():
            buckets = [(_bound(bound), float(count)) for bound, count in sample.buckets]
            family.add_metric(sample.labels, buckets, sample.total)
        case Sample(), CounterMetricFamily() | GaugeMetricFamily():
            family.add_metric(sample.labels, sample.value)
        case _:
            raise TypeError(f"{sample.name} is a {family.type} in the catalogue")


def _bound(bound: float) -> str:
    return "+Inf" if bound == inf else str(bound)


class MetricsPage:
    """The text of /metrics: our catalogue, and memory, CPU, descriptors and GC of the process."""

    def __init__(self, *snapshots: Snapshot) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(SnapshotCollector(snapshots))
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def render(self) -> bytes:
        """Prometheus text format 0.0.4, the type `CONTENT_TYPE_LATEST` of prometheus_client."""
        return generate_latest(self._registry)
