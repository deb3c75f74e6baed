"""What wakes somebody up.

Owns the alerts, their durations and their words. What to do is in docs/runbooks.md, a heading for
each. Must not name a metric that web/catalogue.py lacks.
"""

from __future__ import annotations

from docker.prometheus.expressions import Alert, by_connector

CRITICAL, WARNING = "critical", "warning"

_DOUBT = "sms_messages_in_doubt_total"
_OTP = 'category:sms_accepted:rate5m{category="otp"}'
_FAST, _SLOW = 0.0144, 0.006  # a month's thousandth of failures spent in two days, in five

ALERTS = (
    Alert(
        "SmsGatewayDown",
        'up{job="smsgate"} == 0',
        "2m",
        CRITICAL,
        "A gateway does not answer",
        "{{ $labels.instance }} does not answer Prometheus.",
    ),
    Alert(
        "SmsGatewayAbsent",
        'absent(up{job="smsgate"})',
        "5m",
        CRITICAL,
        "Prometheus looks at no gateway",
        "No target has the job smsgate.",
    ),
    Alert(
        "SmsConnectorDown",
        "connector:sms_up:max == 0",
        "5m",
        CRITICAL,
        "A carrier cannot be reached",
        "No gateway has a bound session to {{ $labels.connector }}.",
    ),
    Alert(
        "SmsBindsFlapping",
        f"{by_connector('sms_binds_lost_total', '15m', 'increase')} > 6",
        "0m",
        WARNING,
        "Sessions end again and again",
        "{{ $labels.connector }} lost {{ $value | humanize }} sessions in 15 minutes.",
    ),
    Alert(
        "SmsDeliveryLow",
        "connector:sms_confirmed:ratio_rate1h < 0.85"
        " and connector:sms_parts_final:increase1h > 500",
        "15m",
        WARNING,
        "Few parts are delivered",
        "{{ $value | humanizePercentage }} of the parts that ended at {{ $labels.connector }} in"
        " the last hour were delivered.",
    ),
    Alert(
        "SmsReceiptsStopped",
        f"{by_connector('sms_submits_total', '30m', 'increase')} > 500"
        f" unless {by_connector('sms_receipts_total', '30m', 'increase')} > 0",
        "10m",
        CRITICAL,
        "A carrier sends no receipts",
        "{{ $labels.connector }} took {{ $value | humanize }} parts in 30 minutes and sent no"
        " receipt.",
    ),
    Alert(
        "SmsReceiptsUnmatched",
        "job:sms_receipts_unmatched:ratio_rate1h > 0.01",
        "30m",
        WARNING,
        "Receipts belong to no message",
        "{{ $value | humanizePercentage }} of the receipts named no message that is known.",
    ),
    Alert(
        "SmsSubmitsRefused",
        "connector:sms_submit_refused:ratio_rate5m > 0.05"
        f" and {by_connector('sms_submits_total', '5m', 'increase')} > 300",
        "10m",
        WARNING,
        "A carrier refuses messages",
        "{{ $labels.connector }} refuses {{ $value | humanizePercentage }} of what it is given.",
    ),
    Alert(
        "SmsThrottled",
        "connector:sms_submit_throttled:ratio_rate5m > 0.05",
        "10m",
        WARNING,
        "A carrier asks for a slower pace",
        "{{ $labels.connector }} throttles {{ $value | humanizePercentage }} of the submits.",
    ),
    Alert(
        "SmsOtpWaiting",
        'max by (connector) (sms_queue_oldest_seconds{category="otp"}) > 30',
        "1m",
        CRITICAL,
        "One-time passwords wait",
        "The oldest one for {{ $labels.connector }} has waited {{ $value | humanizeDuration }}.",
        age=30,
    ),
    Alert(
        "SmsQueueOld",
        'max by (connector) (sms_queue_oldest_seconds{category!="otp"}) > 1800',
        "10m",
        WARNING,
        "Messages wait long",
        "The oldest one for {{ $labels.connector }} has waited {{ $value | humanizeDuration }}.",
        age=1800,
    ),
    Alert(
        "SmsInDoubt",
        f"(sum({_DOUBT}) or vector(0)) - (sum({_DOUBT} offset 15m) or vector(0)) > 0",
        "0m",
        WARNING,
        "Messages are in doubt",
        "After a crash nobody knows of {{ $value | humanize }} messages whether they were sent.",
    ),
    Alert(
        "SmsProofsWait",
        "max(sms_proofs_waiting) > 0",
        "1m",
        WARNING,
        "A carrier says of too many numbers that nobody has them",
        "{{ $value }} proofs of dead numbers wait for a person.",
    ),
    Alert(
        "SmsUnstorable",
        "sum(increase(sms_records_unstorable_total[15m])) > 0"
        " or sum(increase(sms_inbound_unstorable_total[15m])) > 0",
        "0m",
        CRITICAL,
        "PostgreSQL refuses what has to be stored",
        "{{ $value | humanize }} results, receipts or messages from handsets were refused.",
    ),
    Alert(
        "SmsShedding",
        "sum(rate(sms_messages_shed_total[5m])) > 0",
        "5m",
        WARNING,
        "Messages are refused for want of room",
        "{{ $value | humanize }} messages a second are answered with 503.",
    ),
    Alert(
        "SmsCommitSlow",
        "max(max_over_time(sms_commit_last_duration_seconds[1m])) > 1",
        "5m",
        WARNING,
        "Commits take long",
        "A group commit took {{ $value | humanizeDuration }}.",
    ),
    Alert(
        "SmsOptOutViolated",
        "max(sms_optout_violations_total) > 0",
        "0m",
        CRITICAL,
        "Somebody who had said no was texted",
        "{{ $value | humanize }} marketing messages went out after their recipient's opt-out.",
    ),
    Alert(
        "SmsDeliveryCohortLow",
        "(max by (connector) (sms_cohort_delivery_rate_high) < 0.95)"
        " and (max by (connector) (sms_cohort_sent) >= 200)",
        "30m",
        WARNING,
        "A day's messages are delivered less than they should be",
        "At most {{ $value | humanizePercentage }} of what went over {{ $labels.connector }} from"
        " 25 hours to one ago is delivered.",
    ),
    Alert(
        "SmsRollupsLate",
        "max(sms_rollup_lag_seconds) > 900",
        "10m",
        WARNING,
        "Reports do not count what was accepted lately",
        "What is counted next was accepted {{ $value | humanizeDuration }} ago.",
        age=900,
    ),
    Alert(
        "SmsContactEventsLate",
        "max(sms_contact_events_late_seconds) > 900",
        "10m",
        WARNING,
        "Segments do not know what contacts did lately",
        "The next event to be made has waited for {{ $value | humanizeDuration }}.",
        age=900,
    ),
    Alert(
        "SmsBackgroundFails",
        "max by (task) (sms_background_failed_steps) > 0",
        "10m",
        WARNING,
        "Background work gets no further",
        "The last {{ $value }} steps of `{{ $labels.task }}` have failed.",
    ),
    Alert(
        "SmsCampaignPaused",
        'sum(increase(sms_campaign_moves_total{move="paused"}[15m])) > 0',
        "0m",
        WARNING,
        "The gateway has paused a campaign",
        "{{ $value | humanize }} campaigns stopped by themselves. Each says why in its reason.",
    ),
    Alert(
        "SmsRollupsWrong",
        'sum(increase(sms_rollup_mended_total{cause="large"}[1d])) > 0',
        "0m",
        WARNING,
        "A day's figures were wrong by more than one in a thousand",
        "{{ $value | humanize }} messages were counted wrongly, and are mended.",
    ),
    Alert(
        "SmsAcceptSurge",
        f"{_OTP} > 3 * avg_over_time({_OTP}[1d:5m] offset 1h) and {_OTP} > 1",
        "10m",
        WARNING,
        "Far more one-time passwords than usual",
        "{{ $value | humanize }} one-time passwords a second, over three times the day's average.",
    ),
    Alert(
        "SmsApiBurnFast",
        f"job:sms_http_errors:ratio_rate5m > {_FAST}"
        f" and job:sms_http_errors:ratio_rate1h > {_FAST}",
        "2m",
        CRITICAL,
        "The API fails often",
        "{{ $value | humanizePercentage }} of the answers are 5xx.",
    ),
    Alert(
        "SmsApiBurnSlow",
        f"job:sms_http_errors:ratio_rate30m > {_SLOW}"
        f" and job:sms_http_errors:ratio_rate6h > {_SLOW}",
        "15m",
        WARNING,
        "The API fails too often for a long time",
        "{{ $value | humanizePercentage }} of the answers are 5xx.",
    ),
    Alert(
        "SmsWebhookLag",
        "max(sms_webhook_oldest_seconds) > 300",
        "10m",
        WARNING,
        "Webhooks are told late",
        "The oldest event has waited {{ $value | humanizeDuration }} to be told.",
        age=300,
    ),
    Alert(
        "SmsWebhookDisabled",
        'max(sms_webhook_endpoints{state="disabled"}) > 0',
        "0m",
        WARNING,
        "A receiver of webhooks is told nothing any more",
        "{{ $value | humanize }} endpoints are disabled.",
    ),
    Alert(
        "SmsBreakerOpen",
        "max by (scope) (sms_breakers_open) > 0",
        "0m",
        WARNING,
        "Messages are held back by a breaker",
        "{{ $value | humanize }} breakers of scope {{ $labels.scope }} are open or half open.",
    ),
    Alert(
        "SmsTermAtRisk",
        "min(sms_term_seconds_left) < 4",
        "30s",
        CRITICAL,
        "A gateway is about to lose its work",
        "A gateway has {{ $value | humanizeDuration }} left to renew its term.",
    ),
    Alert(
        "SmsBackupOld",
        "time() - max(sms_backup_last_timestamp_seconds) > 93600",
        "0m",
        WARNING,
        "The last backup is old, or there is none",
        "The last backup was taken {{ $value | humanizeDuration }} ago.",
        age=93600,
    ),
    Alert(
        "SmsDiskFull",
        "predict_linear(sms_disk_free_bytes[6h], 86400) < 0",
        "30m",
        CRITICAL,
        "A disk will be full within a day",
        "{{ $labels.path }} of {{ $labels.instance }} fills up within a day.",
    ),
)
