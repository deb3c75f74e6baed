"""The metrics of what carriers say about numbers, a part of the catalogue.

Owns their names and meanings. Must not count.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from web.metric_kind import MetricKind

OF_NUMBERS: Mapping[str, MetricKind] = MappingProxyType(
    {
        "sms_numbers_suppressed_total": MetricKind(
            "counter", "Numbers that carriers' verdicts suppressed."
        ),
        "sms_numbers_lifted_total": MetricKind(
            "counter", "Such numbers that a delivery has freed again."
        ),
        "sms_numbers_pruned_total": MetricKind(
            "counter", "Numbers that the walk through all evidence gave up."
        ),
        "sms_proofs_waiting": MetricKind(
            "gauge", "Proofs of dead numbers that wait for a person, of all gateways."
        ),
        "sms_proof_guard_closed_total": MetricKind(
            "counter", "How often a connector's proofs began to wait: too many in an hour."
        ),
    }
)
