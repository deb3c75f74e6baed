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
        "sms_number_rotation_phase": MetricKind(
            "gauge",
            "Of a change of the number key: 1 announced, 2 written, 3 rows are sealed anew, "
            "4 to be finished; 0 none runs.",
        ),
        "sms_number_rotation_moved_rows": MetricKind(
            "gauge", "Rows that the change has sealed anew.", ("table",)
        ),
        "sms_number_rotation_left_rows": MetricKind(
            "gauge", "Rows that it left: nothing tells their number.", ("table",)
        ),
    }
)
