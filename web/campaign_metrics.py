"""The metrics of templates and campaigns: those entries of the catalogue.

Owns their names, types and meanings. Must not count.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from web.metric_kind import MetricKind

OF_CAMPAIGNS: Mapping[str, MetricKind] = MappingProxyType(
    {
        "sms_templates_total": MetricKind(
            "counter",
            "Changes of templates: `made`, `version`, `approval`, `waiver`, `ended`.",
            ("change",),
        ),
        "sms_template_values_total": MetricKind(
            "counter",
            "Values of messages by templates that had a `fallback` or were `refused`. And what was "
            "taken out: `braces`, `brackets`, `links`, `line_breaks`, `invisible` characters.",
            ("what",),
        ),
        "sms_campaigns": MetricKind(
            "gauge", "Campaigns by state, when this process last looked.", ("state",)
        ),
        "sms_campaign_chunks_waiting": MetricKind(
            "gauge", "Chunks that are begun and not done, when this process last looked."
        ),
        "sms_campaign_recipients_total": MetricKind(
            "counter",
            "Recipients whom this process has fed: `message`, or `skipped` with a reason.",
            ("outcome",),
        ),
        "sms_cap_readings_total": MetricKind(
            "counter",
            "Readings by this process of who is in a segment that has a cap: `read` or `failed`.",
            ("outcome",),
        ),
        "sms_campaign_moves_total": MetricKind(
            "counter",
            "Campaigns that this process `paused`, `released` from their canary, `decided` the "
            "experiment of, or `finished` by itself.",
            ("move",),
        ),
        "sms_campaign_looks_total": MetricKind(
            "counter", "Looks at experiments of campaigns that this process has made."
        ),
        "sms_campaign_batches_counted_total": MetricKind(
            "counter", "Batches of campaigns whose sums this process counted anew."
        ),
    }
)
