"""What figures and ways are called for people.

Owns these words. Must not know a benchmark.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_PERCENTILE = re.compile(r"p(\d\d)(\d?)_(ms|seconds)")
_UNITS = {"us": "µs a message", "mib": "MiB", "ms": "ms", "seconds": "s"}
_WHOLE = {
    "per_second": "a second",
    "carried_per_second": "a second at the carrier",
    "wal_octets": "WAL octets a message",
    "fsyncs": "fsyncs a message",
    "share_of_best_possible": "share of the best possible",
    "gateway_peak_mib": "gateway at most, MiB",
}


def label(figure: str) -> str:
    """Of a figure: what it counts, and in which unit."""
    if figure in _WHOLE:
        return _WHOLE[figure]
    if match := _PERCENTILE.fullmatch(figure):
        share = f"{match[1]}.{match[2]}" if match[2] else match[1]
        return f"p{share}, {_UNITS[match[3]]}"
    name, _, unit = figure.rpartition("_")
    if name and unit in _UNITS:
        return f"{name.replace('_', ' ')}, {_UNITS[unit]}"
    return figure.replace("_", " ")


def sizes(ways: Iterable[str]) -> dict[str, int]:
    """Of those ways that are called by a number, that number."""
    return {way: int(way) for way in ways if way.isdigit()}
