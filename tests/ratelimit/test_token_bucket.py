"""The limit holds over any window, exactly, for ever."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratelimit.spec import RateSpec, rate
from ratelimit.token_bucket import NANOSECONDS, NEVER_NS, TokenBucket

specs = st.builds(
    rate, st.integers(1, 5_000), st.sampled_from([1, 7, 60, 3600]), st.none() | st.integers(1, 50)
)


@given(
    specs,
    st.lists(st.tuples(st.integers(0, NANOSECONDS // 2), st.integers(1, 12)), max_size=120),
)
def test_no_second_sees_more_than_rate_and_burst(
    spec: RateSpec, asks: list[tuple[int, int]]
) -> None:  # E41; and rate + n for an n larger than the burst
    bucket = TokenBucket(spec)
    passed: list[tuple[int, int]] = []
    for now, (_, n) in zip(accumulate(gap for gap, _ in asks), asks, strict=True):
        if bucket.take(n, now) == 0:
            passed.append((now, n))
    largest = max((n for _, n in passed), default=0)
    for position, (start, _) in enumerate(passed):
        window = sum(n for at, n in passed[position:] if at < start + NANOSECONDS)
        assert window * spec.denominator <= spec.numerator + spec.denominator * max(
            spec.burst, largest
        )


@given(specs, st.integers(1, 12), st.integers(0, 100))
def test_the_wait_is_exact(spec: RateSpec, n: int, used: int) -> None:
    bucket = TokenBucket(spec)
    for _ in range(used):
        bucket.take(1, 0)
    wait_ns = bucket.take(n, 0)
    if wait_ns:
        assert bucket.take(n, wait_ns - 1) > 0
        assert bucket.take(n, wait_ns) == 0


@given(specs)
def test_a_greedy_taker_gets_the_rate_without_drift(spec: RateSpec) -> None:
    bucket = TokenBucket(spec)
    now = 0
    for _ in range(500):
        while wait_ns := bucket.take(1, now):
            now += wait_ns
    earned = now * spec.numerator // (spec.denominator * NANOSECONDS)
    assert 500 <= spec.burst + earned <= max(501, spec.burst)


def test_refused_means_nothing_taken() -> None:
    bucket = TokenBucket(rate(10, burst=5))
    assert bucket.take(3, 0) == 0
    assert bucket.take(3, 0) == NANOSECONDS // 10
    assert bucket.available(0) == 2


def test_parts_are_charged_not_messages() -> None:  # E39
    bucket = TokenBucket(rate(100, burst=10))
    assert bucket.take(2, 0) == 0
    assert bucket.available(0) == 8


def test_more_than_the_burst_passes_when_full_and_is_paid_afterwards() -> None:
    bucket = TokenBucket(rate(10, burst=2))
    assert bucket.take(1, 0) == 0
    assert bucket.take(5, 0) == NANOSECONDS // 10  # not full
    assert bucket.take(5, NANOSECONDS // 10) == 0
    assert bucket.take(1, NANOSECONDS // 10) == 4 * NANOSECONDS // 10


def test_rate_zero_is_paused_until_set_rate() -> None:  # E40
    bucket = TokenBucket(rate(0))
    assert bucket.take(1, 10 * NANOSECONDS) == NEVER_NS
    assert bucket.available(10 * NANOSECONDS) == 0
    bucket.set_rate(rate(10), 10 * NANOSECONDS)
    assert bucket.take(1, 10 * NANOSECONDS) == 0


@given(specs, specs, st.integers(0, 60))
def test_set_rate_gives_no_free_tokens(old: RateSpec, new: RateSpec, used: int) -> None:
    bucket = TokenBucket(old)
    for _ in range(used):
        bucket.take(1, 0)
    before = bucket.available(0)
    bucket.set_rate(new, 0)
    assert bucket.available(0) <= min(before, new.burst)
    assert bucket.available(0) >= min(before, new.burst)


def test_a_debt_survives_set_rate() -> None:
    bucket = TokenBucket(rate(10, burst=1))
    bucket.take(6, 0)
    bucket.set_rate(rate(100, burst=1), 0)
    assert bucket.take(1, 0) == pytest.approx(6 * NANOSECONDS // 100)


def test_a_clock_that_steps_back_gives_nothing() -> None:
    bucket = TokenBucket(rate(10, burst=1), now_ns=NANOSECONDS)
    assert bucket.take(1, NANOSECONDS) == 0
    assert bucket.take(1, 0) > 0
    assert bucket.take(1, NANOSECONDS + NANOSECONDS // 10) == 0
