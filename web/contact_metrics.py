"""The metrics of contacts and what they did: those entries of the catalogue.

Owns their names, types and meanings. Must not count.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from web.metric_kind import MetricKind

OF_CONTACTS: Mapping[str, MetricKind] = MappingProxyType(
    {
        "sms_contact_imports_running": MetricKind(
            "gauge", "Files of contacts that this process reads, or takes back."
        ),
        "sms_contact_import_rows_total": MetricKind(
            "counter", "Rows of files of contacts that got their verdict.", ("verdict",)
        ),
        "sms_contact_events_total": MetricKind(
            "counter", "Events of contacts that were told, by what became of them.", ("answer",)
        ),
        "sms_contact_events_made_total": MetricKind(
            "counter",
            "Events of contacts that this process made of what the gateway knows, by kind; `other` "
            "are conversions.",
            ("kind",),
        ),
        "sms_contact_events_undone_total": MetricKind(
            "counter",
            "Events of contacts that this process took back, by kind: a machine's clicks, and "
            "opt-outs that are listed no more.",
            ("kind",),
        ),
        "sms_contact_events_due": MetricKind(
            "gauge",
            "Messages, clicks and more of which events are to be made, when this process last "
            "looked.",
        ),
        "sms_contact_events_late_seconds": MetricKind(
            "gauge",
            "So long the first of them had waited then. It grows while a number key changes.",
        ),
        "sms_engagement_events_total": MetricKind(
            "counter", "Events that this process has summed by contact."
        ),
        "sms_engagement_events_waiting": MetricKind(
            "gauge", "Events that are to be summed, when this process last looked."
        ),
    }
)
