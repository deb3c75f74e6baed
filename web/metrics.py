"""What Prometheus sees: the catalogue of metrics, and counters turned into it at scrape time.

Owns every metric's name, type, unit, meaning and labels; nothing else may name one. The rooms keep
plain counters, a snapshot of which is read here. Labels are bounded: connectors, categories,
statuses and endpoints, never a message, number, campaign or URL.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import inf
from types import MappingProxyType
from typing import Literal

import msgspec
from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from web.samples import HistogramSample, Sample, Snapshot


class MetricKind(msgspec.Struct, frozen=True):
    """One entry of the catalogue. Counters are named `…_total`, times are in seconds."""

    type: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()


CATALOGUE: Mapping[str, MetricKind] = MappingProxyType(
    {
        "sms_build_info": MetricKind("gauge", "1, with the version that runs.", ("version",)),
        # the way in
        "sms_http_requests_total": MetricKind(
            "counter", "API requests answered.", ("method", "endpoint", "status")
        ),
        "sms_http_request_duration_seconds": MetricKind(
            "histogram", "From the request's header to its answer.", ("method", "endpoint")
        ),
        "sms_http_connections": MetricKind("gauge", "Connections that are open.", ("listener",)),
        "sms_http_connections_max": MetricKind(
            "gauge",
            "The bound in force; the descriptors of the process may lower it.",
            ("listener",),
        ),
        "sms_http_connections_refused_total": MetricKind(
            "counter", "Connections closed at once, with 503, at that bound.", ("listener",)
        ),
        "sms_http_connections_closed_total": MetricKind(
            "counter",
            "Connections closed since their client said nothing, was idle, read no answer, or had "
            "said nothing when another needed the room.",
            ("listener", "reason"),
        ),
        "sms_http_early_answers_total": MetricKind(
            "counter",
            "Answers to what is no request: bad HTTP, a header too large or too slow, no room.",
            ("listener", "status"),
        ),
        "sms_messages_accepted_total": MetricKind(
            "counter", "Messages committed and answered with an id.", ("category",)
        ),
        "sms_messages_ended_at_accept_total": MetricKind(
            "counter",
            "Accepted messages that end at once: the number must not be texted, or not so often.",
            ("status",),
        ),
        "sms_messages_deduplicated_total": MetricKind(
            "counter", "Messages not stored: their client_ref had been used lately."
        ),
        "sms_idempotency_replays_total": MetricKind(
            "counter", "Requests answered with what the first one with their key got."
        ),
        "sms_policy_decisions_total": MetricKind(
            "counter",
            "Messages that a rule refused, held, or ended with the status named, at accept or "
            "before the wire.",
            ("rule", "action"),
        ),
        "sms_messages_shed_total": MetricKind(
            "counter", "Messages refused because too many waited for a commit.", ("category",)
        ),
        "sms_messages_canceled_total": MetricKind(
            "counter", "Messages taken back by their sender before they were on the wire."
        ),
        "sms_accept_waiting": MetricKind("gauge", "Messages waiting for a commit.", ("lane",)),
        "sms_commit_flushes_total": MetricKind(
            "counter", "Group commits, each one transaction.", ("writer",)
        ),
        "sms_commit_items_total": MetricKind(
            "counter", "Items in them; per flush this is the batch size.", ("writer",)
        ),
        "sms_commit_last_duration_seconds": MetricKind(
            "gauge", "How long the last group commit took.", ("writer",)
        ),
        # to the wire
        "sms_queue_depth": MetricKind(
            "gauge", "Parts in the ready queue, in memory.", ("connector", "category")
        ),
        "sms_queue_oldest_seconds": MetricKind(
            "gauge",
            "Wait of the oldest message: since it came into memory, or since it was accepted if it "
            "is in the outbox.",
            ("connector", "category"),
        ),
        "sms_connector_up": MetricKind(
            "gauge", "1 while at least one session is bound.", ("connector",)
        ),
        "sms_binds_up": MetricKind("gauge", "Bound sessions.", ("connector",)),
        "sms_window_in_flight": MetricKind(
            "gauge", "Submits without an answer yet.", ("connector",)
        ),
        "sms_submits_total": MetricKind(
            "counter", "submit_sm written to the connection, one for each part.", ("connector",)
        ),
        "sms_submit_responses_total": MetricKind(
            "counter", "Answers to submit_sm by command_status.", ("connector", "status")
        ),
        "sms_submits_unanswered_total": MetricKind(
            "counter", "Submits whose answer never came.", ("connector",)
        ),
        "sms_throttled_total": MetricKind(
            "counter", "Answers that asked for a slower pace.", ("connector",)
        ),
        "sms_pace_parts_per_second": MetricKind(
            "gauge", "The pace in force, after throttling.", ("connector",)
        ),
        "sms_messages_rerouted_total": MetricKind(
            "counter", "Waiting messages moved from a connector that was down to another."
        ),
        "sms_messages_expired_waiting_total": MetricKind(
            "counter", "Messages that expired before a connector could take them."
        ),
        "sms_binds_lost_total": MetricKind("counter", "Sessions that ended.", ("connector",)),
        "sms_session_pdus_total": MetricKind(
            "counter",
            "PDUs out of the ordinary. `on_transmitter`, `before_bind`: receipts and messages "
            "taken where they do not belong; `malformed`: a body that was not read as a whole; "
            "`refused`: answered with an error; "
            "`unmatched_response`, `unmatched_nack`: nothing waited for them.",
            ("connector", "kind"),
        ),
        # from handsets
        "sms_inbound_parts_total": MetricKind(
            "counter", "deliver_sm and data_sm taken that are no receipts.", ("connector",)
        ),
        "sms_inbound_alphabet_guessed_total": MetricKind(
            "counter",
            "Messages from handsets whose text was read in another way than their data_coding "
            "says, or is none; see `read_as` of an inbound message.",
            ("connector", "read_as"),
        ),
        "sms_inbound_headers_guessed_total": MetricKind(
            "counter", "Of them with a header that esm_class does not tell of.", ("connector",)
        ),
        "sms_inbound_messages_total": MetricKind("counter", "Messages from handsets committed."),
        "sms_inbound_incomplete_total": MetricKind(
            "counter", "Of them with gaps, since parts did not come in time."
        ),
        "sms_inbound_repeated_total": MetricKind(
            "counter", "Messages that a carrier sent again and that were stored already."
        ),
        "sms_inbound_open": MetricKind(
            "gauge", "Messages that wait for their other parts.", ("connector",)
        ),
        "sms_inbound_waiting": MetricKind("gauge", "Messages or parts waiting for a commit."),
        "sms_inbound_refused_total": MetricKind(
            "counter",
            "Messages from handsets that the carrier was told to send again later.",
            ("connector",),
        ),
        "sms_optouts_total": MetricKind(
            "counter", "Numbers that opted out, by how; each once while it stands.", ("source",)
        ),
        "sms_optouts_undone_total": MetricKind(
            "counter", "Opt-outs taken back, by how.", ("source",)
        ),
        "sms_optout_replies_total": MetricKind(
            "counter", "Confirmations of an opt-out, by what became of them.", ("outcome",)
        ),
        "sms_optout_violations_total": MetricKind(
            "counter",
            "Marketing messages of all processes that went out after their recipient's opt-out. "
            "Must stay 0.",
        ),
        "sms_inbound_unstorable_total": MetricKind(
            "counter", "Messages from handsets that PostgreSQL refused, each logged."
        ),
        "sms_numbers_unreadable_total": MetricKind(
            "counter",
            "Stored numbers that could not be opened when they were read: damaged, or sealed with "
            "another key. What was to be sent to one is failed.",
        ),
        # what became of them
        "sms_parts_final_total": MetricKind(
            "counter", "Parts that got a final status.", ("connector", "status")
        ),
        "sms_receipts_total": MetricKind(
            "counter", "Receipts committed, by the status they tell.", ("connector", "status")
        ),
        "sms_receipts_implausible_time_total": MetricKind(
            "counter",
            "Receipts, and answers to queries, whose date is long before the submit or after their "
            "arrival, which counts instead.",
            ("connector",),
        ),
        "sms_receipts_unreadable_time_total": MetricKind(
            "counter",
            "Receipts with a date that cannot be read; their arrival counts.",
            ("connector",),
        ),
        "sms_receipts_parked_total": MetricKind(
            "counter", "Receipts that came before the answer to their submit."
        ),
        "sms_receipts_joined_total": MetricKind(
            "counter", "Parked receipts that found their part."
        ),
        "sms_receipts_waiting": MetricKind("gauge", "Receipts waiting for a commit."),
        "sms_receipts_refused_total": MetricKind(
            "counter", "Receipts the carrier was told to send again later.", ("connector",)
        ),
        "sms_queries_total": MetricKind(
            "counter",
            "What query_sm about parts without a receipt came to.",
            ("connector", "result"),
        ),
        "sms_receipts_unreadable_total": MetricKind(
            "counter",
            "Receipts that name no message, kept beside the messages from handsets.",
            ("connector",),
        ),
        "sms_receipts_unknown_state_total": MetricKind(
            "counter", "Receipts whose word for the state means nothing here.", ("connector",)
        ),
        "sms_receipts_unmarked_total": MetricKind(
            "counter",
            "Messages from handsets whose text is a receipt's; see receipts_without_esm_class.",
            ("connector",),
        ),
        "sms_receipts_guessed_total": MetricKind(
            "counter", "Receipts read although a key or a header mark was missing.", ("connector",)
        ),
        "sms_records_unstorable_total": MetricKind(
            "counter", "Results or receipts that PostgreSQL refused, each logged."
        ),
        "sms_messages_in_doubt_total": MetricKind(
            "counter",
            "Messages in doubt after a crash, by what their category decided.",
            ("policy",),
        ),
        "sms_numbers_suppressed_total": MetricKind(
            "counter", "Numbers that receipts proved to be unknown."
        ),
        "sms_indexes_rewritten": MetricKind(
            "gauge", "1 once no number is looked for under an index of the release before."
        ),
        # short links
        "sms_clicks_total": MetricKind("counter", "Clicks by how far they came.", ("stage",)),
    }
)

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER_METHOD = "other"
HTTP_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class HttpCounters:
    """Requests by method, endpoint and status, and their duration. Plain numbers; endpoints are
    bounded by the route table, unknown paths and methods count together.
    """

    def __init__(self) -> None:
        self._requests: dict[tuple[str, str, int], int] = {}
        self._buckets: dict[tuple[str, str], list[int]] = {}
        self._seconds: dict[tuple[str, str], float] = {}

    def record(self, method: str, endpoint: str, status: int, seconds: float) -> None:
        """One request answered."""
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
    """Counts per bucket, one more than bounds for the overflow, as a histogram has them."""
    total = 0
    buckets: list[tuple[float, int]] = []
    for bound, count in zip((*bounds, inf), counts, strict=True):
        total += count
        buckets.append((bound, total))
    return buckets


class SnapshotCollector(Collector):
    """Reads the snapshots when Prometheus asks. Raises for a sample that the catalogue lacks."""

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
