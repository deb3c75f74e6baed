"""Durations in rules, divided where a test wants alerts to fire within minutes.

Owns that arithmetic. Must not know a rule.
"""

from __future__ import annotations

import re

SCRAPE_SECONDS_MIN = 1  # of a scaled run
AGE_SECONDS_MIN = 2  # of a scaled run: a busy machine lets things wait so long
SCRAPES_MIN = 4  # in a range: Prometheus 3 leaves out the sample at its beginning

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"(?<=[\[:])(\d+)([smhd])(?=[\]:])|(?<=offset )(\d+)([smhd])")


def scaled(text: str, scale: int) -> str:
    """An expression, or a duration by itself, with its durations divided."""
    if scale == 1:
        return text

    def shorter(found: re.Match[str]) -> str:
        number, unit = found.group(1) or found.group(3), found.group(2) or found.group(4)
        seconds = int(number) * _SECONDS[unit] // scale
        return f"{max(seconds, SCRAPES_MIN * SCRAPE_SECONDS_MIN)}s"

    return _DURATION.sub(shorter, text)


def lasting(duration: str, scale: int) -> str:
    """How long an alert waits: 0 stays 0."""
    seconds = int(duration[:-1]) * _SECONDS[duration[-1]]
    return duration if scale == 1 else f"{-(-seconds // scale)}s"


def younger(expression: str, age: int, scale: int) -> str:
    """An expression that ends with `> age`, with the age divided; as it is where `age` is 0."""
    if not age or scale == 1:
        return expression
    return f"{expression.removesuffix(str(age))}{max(AGE_SECONDS_MIN, age / scale):g}"
