"""The metrics of reports: those entries of the catalogue.

Owns their names, types and meanings. Must not count. A cohort is what was accepted from 25 hours
to one hour ago.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from web.metric_kind import MetricKind

REPORTS: Mapping[str, MetricKind] = MappingProxyType(
    {
        "sms_rollup_messages_total": MetricKind(
            "counter", "Messages counted: first, again, or in doubt until a recount.", ("kind",)
        ),
        "sms_rollup_others_total": MetricKind(
            "counter", "Messages counted together, as their day had too many of these.", ("of",)
        ),
        "sms_rollup_merge_seconds_total": MetricKind("counter", "Time in which they were counted."),
        "sms_rollup_changes_waiting": MetricKind("gauge", "Transactions not counted yet."),
        "sms_rollup_lag_seconds": MetricKind("gauge", "How old is what is counted next."),
        "sms_rollup_recounts_total": MetricKind("counter", "Days counted anew."),
        "sms_rollup_mended_total": MetricKind(
            "counter", "Messages at most that a recount found wrong, and mended.", ("cause",)
        ),
        "sms_cohort_sent": MetricKind(
            "gauge", "Messages sent, of those accepted from 25 hours to one ago.", ("connector",)
        ),
        "sms_cohort_delivery_rate": MetricKind(
            "gauge", "Which share of them is delivered.", ("connector",)
        ),
        "sms_cohort_delivery_rate_low": MetricKind(
            "gauge", "The low end of its 95 % interval.", ("connector",)
        ),
        "sms_cohort_delivery_rate_high": MetricKind(
            "gauge", "The high end of its 95 % interval.", ("connector",)
        ),
    }
)
