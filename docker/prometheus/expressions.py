"""What a rule of Prometheus is here, and the expressions that several rules are made of.

Owns these forms. Must not name a rule.
"""

from __future__ import annotations

import msgspec


class Record(msgspec.Struct, frozen=True):
    """A series that is computed ahead, for alerts and dashboards."""

    name: str
    expression: str


class Alert(msgspec.Struct, frozen=True):
    """`lasts`: how long the expression holds before somebody is told. `description` may name
    labels and the value, as Prometheus' templates do. `age`: the threshold that the expression
    ends with, where it is a span of time in seconds.
    """

    name: str
    expression: str
    lasts: str
    severity: str
    summary: str
    description: str
    age: int = 0


def by_connector(metric: str, window: str, function: str = "rate", matcher: str = "") -> str:
    """A counter's rate or increase, for each connector."""
    return f"sum by (connector) ({function}({metric}{matcher}[{window}]))"


def share_of(metric: str, matcher: str, window: str) -> str:
    """What share of a connector's counter has these labels; nothing where it counted nothing."""
    part, whole = by_connector(metric, window, matcher=matcher), by_connector(metric, window)
    return share(part, whole)


def share(part: str, whole: str) -> str:
    """0, and not nothing, where no series of the part exists yet."""
    return f"({part} or 0 * {whole}) / ({whole} > 0)"


def errors_of(window: str) -> str:
    """What share of the API's answers were its own fault."""
    failed = f'sum by (job) (rate(sms_http_requests_total{{status=~"5.."}}[{window}]))'
    every = f"sum by (job) (rate(sms_http_requests_total[{window}]))"
    return share(failed, every)
