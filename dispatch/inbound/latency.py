"""How long opt-outs took from the carrier's delivery until they were in force.

Owns that histogram: plain counts for /metrics. Must not read a clock.
"""

from __future__ import annotations

from bisect import bisect_left

# The law's limit is 48 hours; what is meant is less than a second.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 3600.0, 172800.0)


class ApplyLatency:
    """One for the process, since start."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)  # one more for what took longer
        self.seconds = 0.0

    def observe(self, seconds: float) -> None:
        """One opt-out is in force."""
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.seconds += seconds
