"""Histograms of times whose sum is exact: buckets, and percentiles from them.

Owns the buckets of `rollup_latency`. Must not know where times come from. Pure.

Bucket 0 holds times up to 1 ms. Each further one ends GROWTH times later than the one before, so
its value is at most 2.5 % from any time in it. Histograms are added up bucket by bucket. A mean of
percentiles would be no percentile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from math import ceil, log

ERROR = 0.025
GROWTH = (1 + ERROR) / (1 - ERROR)
LONGEST_MS = 72 * 3600 * 1000  # what took longer is in the last bucket

_LN_GROWTH = log(GROWTH)


def bucket_of(milliseconds: float) -> int:
    """0 to BUCKET_MAX. What is negative, by two clocks that differ, is in bucket 0."""
    if milliseconds <= 1:
        return 0
    return ceil(log(min(milliseconds, LONGEST_MS)) / _LN_GROWTH)


BUCKET_MAX = bucket_of(LONGEST_MS)


def value_of(bucket: int) -> float:
    """The milliseconds that stand for all times of a bucket."""
    return float(2 * GROWTH**bucket / (GROWTH + 1))


def merged(histograms: Iterable[tuple[Sequence[int], Sequence[int]]]) -> dict[int, int]:
    """Bucket -> count, of several rows of (buckets, counts)."""
    total: dict[int, int] = {}
    for buckets, counts in histograms:
        for bucket, count in zip(buckets, counts, strict=True):
            total[bucket] = total.get(bucket, 0) + count
    return total


def percentile(histogram: Mapping[int, int], share: str | Fraction) -> float | None:
    """The milliseconds that `share` of the times do not exceed: of rank ceil(share * n).

    `share` is exact, such as "0.95": 0 < share <= 1, else ValueError. None without any time.
    """
    exact = Fraction(share)
    if not 0 < exact <= 1:
        raise ValueError(f"share {share}: expected more than 0, and 1 at most")
    rank = ceil(exact * sum(histogram.values()))
    seen = 0
    for bucket in sorted(histogram):
        seen += histogram[bucket]
        if rank and seen >= rank:
            return value_of(bucket)
    return None
