"""The rules of Prometheus: made by the generator, of metrics that exist, and judged by promtool."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from docker.prometheus.durations import scaled, younger
from docker.prometheus.rules import ALERTS, RECORDS, RUNBOOKS, heading_of, render
from tests.debian import promtool
from tests.docker.expressions import unknown_in
from tests.tidy.source import ROOT

FOLDER = ROOT / "docker" / "prometheus"


def test_the_file_is_what_the_generator_makes() -> None:
    """python -m docker.prometheus.rules > docker/prometheus/rules.yml"""
    assert (FOLDER / "rules.yml").read_text(encoding="utf-8") == render()


def test_each_metric_and_label_exists() -> None:
    told = {each.name: each.expression for each in RECORDS}
    told |= {each.name: each.expression for each in ALERTS}
    assert len(told) == len(RECORDS) + len(ALERTS)
    found = {name: unknown_in(expression) for name, expression in told.items()}
    assert {name: unknown for name, unknown in found.items() if unknown} == {}


def test_each_record_is_used_or_shown_and_named_by_its_labels() -> None:
    for each in RECORDS:
        labels, _, _ = each.name.partition(":")
        by = re.findall(r"by \(([^)]*)\)", each.expression)
        assert by, each.name
        grouped = set(by[0].replace(" ", "").split(",")) - {"le"}
        assert grouped == set(labels.replace("connector_status", "connector,status").split(","))


def test_each_alert_has_its_page() -> None:
    text = (ROOT / RUNBOOKS).read_text(encoding="utf-8")
    headings = re.findall(r"^## (Sms\w+)$", text, re.M)
    assert headings == [each.name for each in ALERTS]
    assert all(heading_of(each) == each.lower() for each in headings)


def test_a_scaled_run_divides_each_duration_and_keeps_four_scrapes() -> None:
    assert scaled("rate(x[1h]) offset 15m", 60) == "rate(x[60s]) offset 15s"
    assert scaled("avg_over_time(x[1d:5m])", 60) == "avg_over_time(x[1440s:5s])"
    assert scaled("rate(x[1m])", 60) == "rate(x[4s])"
    assert scaled("x > 60", 60) == "x > 60"
    assert "interval: 1s" in render(60)
    assert younger("max(x) > 1800", 1800, 60) == "max(x) > 30"
    assert younger("max(x) > 30", 30, 1) == younger("max(x) > 30", 0, 60) == "max(x) > 30"
    assert all(each.expression.endswith(f"> {each.age}") for each in ALERTS if each.age)


def test_promtool_takes_the_rules_and_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(render(), encoding="utf-8")
    (tmp_path / "scaled.yml").write_text(render(60), encoding="utf-8")
    promtool("check", "rules", tmp_path / "rules.yml", tmp_path / "scaled.yml")
    promtool("check", "config", "--syntax-only", FOLDER / "prometheus.yml")


JOB = 'job="smsgate",instance="a:8080"'


def series(name: str, values: str, labels: str = "") -> dict[str, str]:
    """One series of a promtool test, a sample a minute."""
    inner = ",".join(filter(None, (JOB, labels)))
    return {"series": f"{name}{{{inner}}}", "values": values}


def counters(connector: str, **per_minute: float) -> list[dict[str, str]]:
    """Steady traffic of a connector: parts a minute, for half a day."""
    named = f'connector="{connector}"'
    rows = []
    for what, rate in per_minute.items():
        metric, _, value = what.partition("__")
        label = {"sms_submit_responses_total": "status", "sms_parts_final_total": "status"}
        extra = f',{label[metric]}="{value}"' if value else ""
        if metric == "sms_receipts_total":
            extra = ',status="delivered"'
        rows.append(series(metric, f"0+{rate}x720", named + extra))
    return rows


HEALTHY = [
    series("up", "1x720"),
    series("sms_connector_up", "1x720", 'connector="c"'),
    series("sms_binds_up", "2x720", 'connector="c"'),
    series("sms_binds_lost_total", "0x720", 'connector="c"'),
    *counters(
        "c",
        sms_submits_total=600,
        sms_receipts_total=600,
        sms_submit_responses_total__ESME_ROK=598,
        sms_submit_responses_total__ESME_RTHROTTLED=2,
        sms_parts_final_total__delivered=580,
        sms_parts_final_total__undelivered=20,
    ),
    series("sms_receipts_parked_total", "0+30x720"),
    series("sms_receipts_joined_total", "0+30x720"),
    series("sms_queue_oldest_seconds", "2x720", 'connector="c",category="otp"'),
    series("sms_queue_oldest_seconds", "600x720", 'connector="c",category="marketing"'),
    series("sms_messages_in_doubt_total", "0x720", 'policy="hold"'),
    series("sms_records_unstorable_total", "0x720"),
    series("sms_inbound_unstorable_total", "0x720"),
    series("sms_messages_shed_total", "0x720", 'category="marketing"'),
    series("sms_commit_last_duration_seconds", "0.01x720", 'writer="record"'),
    series("sms_optout_violations_total", "0x720"),
    series("sms_breakers_open", "0x720", 'scope="connector"'),
    series("sms_messages_accepted_total", "0+300x720", 'category="otp"'),
    series("sms_http_requests_total", "0+6000x720", 'method="POST",endpoint="/",status="202"'),
    series("sms_http_requests_total", "0+1x720", 'method="POST",endpoint="/",status="503"'),
    series("sms_webhook_oldest_seconds", "3x720"),
    series("sms_webhook_endpoints", "0x720", 'state="disabled"'),
    series("sms_webhook_endpoints", "2x720", 'state="enabled"'),
    series("sms_term_seconds_left", "8x720"),
    series("sms_backup_last_timestamp_seconds", "0+60x720"),
    series("sms_cohort_delivery_rate_high", "0.96x720", 'connector="c"'),
    series("sms_cohort_sent", "500x720", 'connector="c"'),
    series("sms_cohort_delivery_rate_high", "0.8x720", 'connector="few"'),
    series("sms_cohort_sent", "150x720", 'connector="few"'),
    series("sms_disk_free_bytes", "50000000000-1000000x720", 'path="/data"'),
]
C = 'connector="c"'
# Alert -> series that take the place of the healthy ones, the moment, and the labels it has then.
BROKEN: dict[str, tuple[list[dict[str, str]], str, dict[str, str]]] = {
    "SmsGatewayDown": (
        [series("up", "1x10 0x20")],
        "13m",
        {"job": "smsgate", "instance": "a:8080"},
    ),
    "SmsGatewayAbsent": ([series("up", "_x60")], "10m", {"job": "smsgate"}),
    "SmsConnectorDown": ([series("sms_connector_up", "1x10 0x20", C)], "18m", {"connector": "c"}),
    "SmsBindsFlapping": ([series("sms_binds_lost_total", "0+1x60", C)], "20m", {"connector": "c"}),
    "SmsDeliveryLow": (
        counters("c", sms_parts_final_total__undelivered=20),
        "80m",
        {"connector": "c"},
    ),
    "SmsReceiptsStopped": (
        [series("sms_receipts_total", "9x90", f'{C},status="delivered"')],
        "75m",
        {"connector": "c"},
    ),
    "SmsReceiptsUnmatched": (
        [series("sms_receipts_joined_total", "0+10x90")],
        "60m",
        {"job": "smsgate"},
    ),
    "SmsSubmitsRefused": (
        counters(
            "c",
            sms_submit_responses_total__ESME_RINVDSTADR=100,
            sms_submit_responses_total__ESME_ROK=500,
        ),
        "30m",
        {"connector": "c"},
    ),
    "SmsThrottled": (
        counters(
            "c",
            sms_submit_responses_total__ESME_RTHROTTLED=100,
            sms_submit_responses_total__ESME_ROK=500,
        ),
        "30m",
        {"connector": "c"},
    ),
    "SmsOtpWaiting": (
        [series("sms_queue_oldest_seconds", "2x5 40x20", f'{C},category="otp"')],
        "8m",
        {"connector": "c"},
    ),
    "SmsQueueOld": (
        [series("sms_queue_oldest_seconds", "2x5 2000x30", f'{C},category="marketing"')],
        "20m",
        {"connector": "c"},
    ),
    "SmsInDoubt": (
        [series("sms_messages_in_doubt_total", "_x20 3x40", 'policy="hold"')],
        "25m",
        {},
    ),
    "SmsProofsWait": ([series("sms_proofs_waiting", "0x5 60x40")], "7m", {}),
    "SmsUnstorable": ([series("sms_inbound_unstorable_total", "0x20 2x40")], "25m", {}),
    "SmsShedding": (
        [series("sms_messages_shed_total", "0+60x40", 'category="marketing"')],
        "15m",
        {},
    ),
    "SmsCommitSlow": (
        [series("sms_commit_last_duration_seconds", "2x40", 'writer="record"')],
        "10m",
        {},
    ),
    "SmsOptOutViolated": ([series("sms_optout_violations_total", "0x5 1x40")], "7m", {}),
    "SmsDeliveryCohortLow": (
        [
            series("sms_cohort_delivery_rate_high", "0.97x10 0.94x90", C),
            series("sms_cohort_sent", "500x100", C),
        ],
        "60m",
        {"connector": "c"},
    ),
    "SmsRollupsLate": ([series("sms_rollup_lag_seconds", "1000x60")], "20m", {}),
    "SmsContactEventsLate": (
        [series("sms_contact_events_late_seconds", "1000x60")],
        "20m",
        {},
    ),
    "SmsBackgroundFails": (
        [series("sms_background_failed_steps", "0x5 1+1x40", 'task="expiry"')],
        "20m",
        {"task": "expiry"},
    ),
    "SmsCampaignPaused": (
        [series("sms_campaign_moves_total", "0x5 1x40", 'move="paused"')],
        "7m",
        {},
    ),
    "SmsRollupsWrong": (
        [series("sms_rollup_mended_total", "0x5 7x40", 'cause="large"')],
        "7m",
        {},
    ),
    "SmsAcceptSurge": (
        [series("sms_messages_accepted_total", "0+100x600 60000+1200x60", 'category="otp"')],
        "625m",
        {"category": "otp"},
    ),
    "SmsApiBurnFast": (
        [series("sms_http_requests_total", "0+200x90", 'method="POST",endpoint="/",status="503"')],
        "70m",
        {"job": "smsgate"},
    ),
    "SmsApiBurnSlow": (
        [series("sms_http_requests_total", "0+60x500", 'method="POST",endpoint="/",status="503"')],
        "400m",
        {"job": "smsgate"},
    ),
    "SmsWebhookLag": ([series("sms_webhook_oldest_seconds", "3x5 400x30")], "20m", {}),
    "SmsWebhookDisabled": (
        [series("sms_webhook_endpoints", "0x5 1x30", 'state="disabled"')],
        "7m",
        {},
    ),
    "SmsBreakerOpen": (
        [series("sms_breakers_open", "0x5 1x30", 'scope="connector"')],
        "8m",
        {"scope": "connector"},
    ),
    "SmsTermAtRisk": ([series("sms_term_seconds_left", "8x5 1x30")], "7m", {}),
    "SmsBackupOld": ([series("sms_backup_last_timestamp_seconds", "-100000x20")], "7m", {}),
    "SmsDiskFull": (
        [series("sms_disk_free_bytes", "50000000000-100000000x400", 'path="/data"')],
        "200m",
        {"job": "smsgate", "instance": "a:8080", "path": "/data"},
    ),
}


def test_every_alert_has_a_case() -> None:
    assert list(BROKEN) == [each.name for each in ALERTS]


@pytest.mark.timeout(400)  # promtool judges half a day of samples for each alert
def test_each_alert_fires_for_what_it_is_about_and_rests_otherwise(tmp_path: Path) -> None:
    alerts = {each.name: each for each in ALERTS}
    cases: list[dict[str, Any]] = [
        {
            "interval": "1m",
            "input_series": HEALTHY,
            "alert_rule_test": [
                {"eval_time": moment, "alertname": name, "exp_alerts": []}
                for name in alerts
                for moment in ("5m", "90m", "700m")
            ],
        }
    ]
    for name, (broken, moment, labels) in BROKEN.items():
        replaced = {each["series"] for each in broken}
        if name == "SmsDeliveryLow":  # nothing was ever delivered: there is no such series
            replaced.update(each["series"] for each in HEALTHY if "delivered" in each["series"])
        rest = [each for each in HEALTHY if each["series"] not in replaced]
        shown = labels | {"severity": alerts[name].severity}
        by = ", ".join(sorted(shown))
        values = ", ".join(f'{key}="{value}"' for key, value in sorted(shown.items()))
        firing = f'ALERTS{{alertname="{name}",alertstate="firing"}}'
        asked = {
            "expr": f"count by ({by}) ({firing})",
            "eval_time": moment,
            "exp_samples": [{"labels": f"{{{values}}}", "value": 1}],
        }
        cases.append(
            {"interval": "1m", "input_series": [*rest, *broken], "promql_expr_test": [asked]}
        )
    (tmp_path / "rules.yml").write_text(render(), encoding="utf-8")
    test = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": cases}
    (tmp_path / "test.yml").write_text(yaml.safe_dump(test), encoding="utf-8")
    promtool("test", "rules", tmp_path / "test.yml")
