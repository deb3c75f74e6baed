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
    }
)
