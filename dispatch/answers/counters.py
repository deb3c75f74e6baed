"""What the recorder has counted since start.

Owns the counters and how one of a connector and status is added. Must not know where they go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec


class RecorderCounters(msgspec.Struct):
    """Counts since start, for /metrics. Keys are (connector, status)."""

    submissions: int = 0
    receipts_parked: int = 0
    receipts_joined: int = 0
    receipts_unchanged: int = 0
    numbers_suppressed: int = 0
    unstorable: int = 0
    final: dict[tuple[int, int], int] = msgspec.field(default_factory=dict)
    receipts: dict[tuple[int, int], int] = msgspec.field(default_factory=dict)
    disbelieved: Counter[int] = msgspec.field(default_factory=Counter)  # dates, by connector


def add(counts: dict[tuple[int, int], int], connector: int, status: int, count: int = 1) -> None:
    """So many more of this connector and status."""
    counts[connector, status] = counts.get((connector, status), 0) + count


def add_all(
    counts: dict[tuple[int, int], int], connectors_and_statuses: Iterable[tuple[int, int]]
) -> None:
    """One more of each."""
    for key, count in Counter(connectors_and_statuses).items():
        counts[key] = counts.get(key, 0) + count
