"""Moments and spans of time as an operator writes them: `90d`, `12h`, `2027-01-31`, RFC 3339.

Owns that grammar. Must not read a clock: what is said from now on is counted by whoever knows the
moment.
"""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime, timedelta

SPAN_DAYS_MAX = 36_500
_SPAN = re.compile(r"(\d{1,9})([smhdw])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def span(text: str) -> timedelta:
    """`0`, or a whole number and a unit of s, m, h, d, w. For argparse."""
    match = _SPAN.fullmatch(text)
    seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
    if (match is None and text != "0") or seconds > SPAN_DAYS_MAX * 86_400:
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected a number and s, m, h, d or w, such as 90d"
        )
    return timedelta(seconds=seconds)


def moment_or_span(text: str) -> datetime | timedelta:
    """A span, a date (its first moment in UTC), or a moment of RFC 3339. For argparse."""
    try:
        return span(text)
    except argparse.ArgumentTypeError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is not None and moment.tzinfo is None and len(text) == len("2027-01-31"):
        moment = moment.replace(tzinfo=UTC)
    if moment is None or moment.tzinfo is None:
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected a span such as 90d, a date, or a moment such as"
            " 2027-01-31T12:00:00Z"
        )
    return moment
