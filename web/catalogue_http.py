"""The metrics of HTTP: requests, connections, keys; a part of the catalogue.

Owns their names and meanings. Must not count.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from web.metric_kind import MetricKind

OF_HTTP: Mapping[str, MetricKind] = MappingProxyType(
    {
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
            "Connections closed since their client said nothing, was idle, read no answer, ended "
            "no TLS handshake, or had said nothing when another needed the room.",
            ("listener", "reason"),
        ),
        "sms_http_keys_refused_total": MetricKind(
            "counter",
            "API keys that opened nothing: unknown, ended, or not looked up since their address or "
            "their beginning had tried too many.",
            ("reason",),
        ),
        "sms_http_early_answers_total": MetricKind(
            "counter",
            "Answers to what is no request: bad HTTP, a header too large or too slow, no room.",
            ("listener", "status"),
        ),
        "sms_tls_certificate_end_timestamp_seconds": MetricKind(
            "gauge", "When the API's certificate ends; of the one in force."
        ),
        "sms_tls_certificates_refused_total": MetricKind(
            "counter", "New certificates or keys of the API that could not be used."
        ),
    }
)
