"""The rules of Prometheus: what it records ahead, and what wakes somebody up.

    python -m docker.prometheus.rules > docker/prometheus/rules.yml

Owns the file that they make. `--scale 60` divides all durations by 60, so that a test sees each
alert fire and rest within minutes. Must not know a rule (records.py, alerts.py).
"""

from __future__ import annotations

import argparse
import sys

from docker.prometheus.alerts import ALERTS
from docker.prometheus.durations import SCRAPE_SECONDS_MIN, lasting, scaled, younger
from docker.prometheus.records import RECORDS

__all__ = ["ALERTS", "RECORDS", "RUNBOOKS", "heading_of", "render"]

RUNBOOKS = "docs/runbooks.md"
INTERVAL_SECONDS = 30


def heading_of(alert: str) -> str:
    """The anchor of an alert's heading in RUNBOOKS."""
    return alert.lower()


def render(scale: int = 1) -> str:
    """The text of rules.yml."""
    interval = f"{max(SCRAPE_SECONDS_MIN, INTERVAL_SECONDS // scale)}s"
    lines = ["# Made by `python -m docker.prometheus.rules`: change it there.", "groups:"]
    lines += ["  - name: sms_recording", f"    interval: {interval}", "    rules:"]
    for record in RECORDS:
        lines.append(f"      - record: {record.name}")
        lines.append(f"        expr: {quoted(scaled(record.expression, scale))}")
    lines += ["  - name: sms_alerts", f"    interval: {interval}", "    rules:"]
    for alert in ALERTS:
        lines += [
            f"      - alert: {alert.name}",
            f"        expr: {quoted(younger(scaled(alert.expression, scale), alert.age, scale))}",
            f"        for: {lasting(alert.lasts, scale)}",
            "        labels:",
            f"          severity: {alert.severity}",
            "        annotations:",
            f"          summary: {quoted(alert.summary)}",
            f"          description: {quoted(alert.description)}",
            f"          runbook_url: {RUNBOOKS}#{heading_of(alert.name)}",
        ]
    return "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    """A YAML string on one line."""
    return "'" + text.replace("'", "''") + "'"


def main() -> None:
    """Write the rules to standard output."""
    parser = argparse.ArgumentParser(prog="python -m docker.prometheus.rules")
    parser.add_argument("--scale", type=int, default=1, help="divide all durations by this")
    sys.stdout.write(render(parser.parse_args().scale))


if __name__ == "__main__":
    main()
