"""Histograms add up exactly, and their percentiles are true to 2.5 %."""

from __future__ import annotations

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlr.rollups.latency import (
    BUCKET_MAX,
    ERROR,
    LONGEST_MS,
    bucket_of,
    merged,
    percentile,
    value_of,
)

TIMES = st.lists(st.integers(1, LONGEST_MS), min_size=1, max_size=200)


@pytest.mark.parametrize(
    ("milliseconds", "bucket", "value"),
    [(2, 14, 1.964), (100, 93, 102.07), (1000, 139, 1018.55), (60_000, 220, 58_511.3)],
)
def test_buckets_and_their_values(milliseconds: int, bucket: int, value: float) -> None:
    assert bucket_of(milliseconds) == bucket
    assert value_of(bucket) == pytest.approx(value, rel=2e-4)


def test_there_are_389_buckets_to_three_days() -> None:
    assert bucket_of(0) == bucket_of(-5) == bucket_of(1) == 0
    assert BUCKET_MAX == bucket_of(LONGEST_MS) == bucket_of(10 * LONGEST_MS)
    assert BUCKET_MAX + 1 == 389


def test_percentiles_of_two_histograms_and_of_their_sum() -> None:
    one = histogram([100] * 50 + [200] * 40 + [1000] * 9 + [5000])
    assert percentile(one, "0.5") == pytest.approx(102.07, rel=2e-4)
    assert percentile(one, "0.95") == pytest.approx(1018.55, rel=2e-4)
    both = merged([row(one), row(histogram([3000] * 100))])
    assert percentile(both, "0.5") == pytest.approx(3060.58, rel=2e-4)


def test_no_times_have_no_percentile() -> None:
    assert percentile({}, "0.5") is None
    with pytest.raises(ValueError, match="expected more than 0"):
        percentile({1: 1}, "0")


@given(TIMES, TIMES, st.sampled_from(["0.5", "0.95", "0.99", "1"]))
def test_a_sum_tells_what_all_times_together_tell(
    some: list[int], others: list[int], share: str
) -> None:
    found = percentile(merged([row(histogram(some)), row(histogram(others))]), share)
    together = sorted(some + others)
    exact = together[ceil(len(together) * float(share)) - 1]
    assert found == pytest.approx(max(exact, 1), rel=ERROR * 1.0001)


def histogram(times: list[int]) -> dict[int, int]:
    return merged([([bucket_of(each)], [1]) for each in times])


def row(counts: dict[int, int]) -> tuple[list[int], list[int]]:
    return list(counts), list(counts.values())
