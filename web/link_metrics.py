"""The metrics of clicks and what they lead to: those entries of the catalogue.

Owns their names, types and meanings. Must not count.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from web.metric_kind import MetricKind

OF_LINKS: Mapping[str, MetricKind] = MappingProxyType(
    {
        "sms_clicks_total": MetricKind("counter", "Clicks by how far they came.", ("stage",)),
        "sms_link_answers_total": MetricKind(
            "counter", "Requests to the redirect server by what was answered.", ("answer",)
        ),
        "sms_link_lookups_total": MetricKind(
            "counter",
            "Links looked up in the database (`recipients`, `named`), and answers from memory "
            "while it did not answer (`stale`).",
            ("kind",),
        ),
        "sms_link_memory_bytes": MetricKind(
            "gauge", "Recipients' links in memory; the bound is `links.memory`."
        ),
        "sms_clicks_reviewed_total": MetricKind(
            "counter",
            "Clicks judged again once their receipts had time to come; `changed`: with another "
            "outcome.",
            ("outcome",),
        ),
        "sms_click_journal_bytes": MetricKind(
            "gauge", "Click journal files: above all clicks that the database has not yet."
        ),
        "sms_conversion_answers_total": MetricKind(
            "counter",
            "Conversions told, by what became of them: `recorded`, `repeated` under a known id, "
            "`conflict` with it, `unknown` click, message or link, `forged` click id.",
            ("outcome",),
        ),
        "sms_landing_visits_total": MetricKind(
            "counter",
            "Requests for the pixel and the script of landing pages, by what was done.",
            ("outcome",),
        ),
        "sms_links_total": MetricKind(
            "counter", "Links of `/v1/links` that were made, changed or deleted.", ("change",)
        ),
        "sms_conversions_total": MetricKind(
            "counter",
            "Conversions that were told, each once: `attributed` to a click of a person, or "
            "`without_click`.",
            ("attribution",),
        ),
    }
)
