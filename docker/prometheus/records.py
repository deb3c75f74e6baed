"""What Prometheus computes ahead, for alerts and dashboards.

Owns these rules. Must not name a metric that web/catalogue.py lacks.
"""

from __future__ import annotations

from docker.prometheus.expressions import Record, by_connector, errors_of, share_of

RECORDS = (
    Record(
        "category:sms_accepted:rate5m",
        "sum by (category) (rate(sms_messages_accepted_total[5m]))",
    ),
    Record(
        "connector_status:sms_parts_final:rate5m",
        "sum by (connector, status) (rate(sms_parts_final_total[5m]))",
    ),
    Record(
        "connector:sms_confirmed:ratio_rate1h",
        share_of("sms_parts_final_total", '{status="delivered"}', "1h"),
    ),
    Record(
        "connector:sms_parts_final:increase1h",
        by_connector("sms_parts_final_total", "1h", "increase"),
    ),
    Record(
        "connector:sms_submit_refused:ratio_rate5m",
        share_of("sms_submit_responses_total", '{status!="ESME_ROK"}', "5m"),
    ),
    Record(
        "connector:sms_submit_throttled:ratio_rate5m",
        share_of("sms_submit_responses_total", '{status="ESME_RTHROTTLED"}', "5m"),
    ),
    Record("connector:sms_up:max", "max by (connector) (sms_connector_up)"),
    Record("connector:sms_binds:sum", "sum by (connector) (sms_binds_up)"),
    *(
        Record(f"job:sms_http_errors:ratio_rate{window}", errors_of(window))
        for window in ("5m", "30m", "1h", "6h")
    ),
    Record(
        "job:sms_http_latency:p99_rate5m",
        "histogram_quantile(0.99, sum by (job, le)"
        " (rate(sms_http_request_duration_seconds_bucket[5m])))",
    ),
    Record(
        "job:sms_receipts_unmatched:ratio_rate1h",
        "clamp_min(sum by (job) (rate(sms_receipts_parked_total[1h]))"
        " - sum by (job) (rate(sms_receipts_joined_total[1h])), 0)"
        " / (sum by (job) (rate(sms_receipts_total[1h])) > 0)",
    ),
)
