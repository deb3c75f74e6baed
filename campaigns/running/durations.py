"""Spans of time as authors write them.

Owns their forms, `PT4H30M` and `24h`. Must not know what a span is for. Pure.
"""

from __future__ import annotations

import re
from datetime import timedelta

_DURATION = re.compile(r"PT(?=\d)(?:(\d{1,3})H)?(?:(\d{1,5})M)?")
_SHORT = re.compile(r"(\d{1,5})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def duration(text: str) -> timedelta | None:
    """`PT4H30M`; None for what is no duration of hours and minutes."""
    found = _DURATION.fullmatch(text)
    if found is None:
        return None
    return timedelta(hours=int(found[1] or 0), minutes=int(found[2] or 0))


def span(text: str) -> timedelta | None:
    """A duration, or `24h`, `90m`, `7d` as segments have it; None for what is neither."""
    found = _SHORT.fullmatch(text)
    if found is None:
        return duration(text)
    return timedelta(**{_UNITS[found[2]]: int(found[1])})
