"""What an expression of PromQL names that neither the catalogue nor a rule has."""

from __future__ import annotations

import re

from docker.prometheus.rules import RECORDS
from web.catalogue import CATALOGUE

# What Prometheus makes itself, and what the client library adds of the process.
OWN = {
    "up": frozenset({"job", "instance"}),
    "process_resident_memory_bytes": frozenset({"job", "instance"}),
    "process_cpu_seconds_total": frozenset({"job", "instance"}),
    "process_open_fds": frozenset({"job", "instance"}),
}
METRIC = re.compile(
    r"(?<![\w:])((?:up|process_\w+)(?![\w:])|sms_\w+?)(_bucket|_sum|_count)?(?![\w:])(\{[^}]*\})?"
)
NAME = re.compile(r"(?<![\w$])([a-z_]+(?::[a-z0-9_]+)+)")  # of a recorded series


def unknown_in(expression: str) -> list[str]:
    """Metrics, labels and recorded series that do not exist."""
    records = {each.name for each in RECORDS}
    recorded = NAME.findall(re.sub(r"\[[^]]*\]", "", expression))
    unknown = [name for name in recorded if name not in records]
    for record in records:
        expression = expression.replace(record, "")
    for name, _suffix, matcher in METRIC.findall(expression):
        if name not in OWN and name not in CATALOGUE:
            unknown.append(name)
            continue
        labels = OWN[name] if name in OWN else CATALOGUE[name].labels
        asked = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matcher)) - {"job", "instance"}
        unknown += sorted(f"{name}{{{label}}}" for label in asked - set(labels))
    return unknown
