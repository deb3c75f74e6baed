"""What many panels ask alike.

Owns these pieces of PromQL and the colours of bounds. Must not name a metric.
"""

from __future__ import annotations

RED, YELLOW = "red", "yellow"
PICKED = 'connector=~"$connector"'  # what is chosen above the panels
RATE = "$__rate_interval"


def rate(metric: str, by: str, matcher: str = "") -> str:
    """What a counter counts in a second, by labels."""
    return f"sum by ({by}) (rate({metric}{matcher}[{RATE}]))"


def total(metric: str, matcher: str = "") -> str:
    """What a counter counts in a second, over everything."""
    return f"sum(rate({metric}{matcher}[{RATE}]))"
