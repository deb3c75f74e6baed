"""Several limits: all or none."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ratelimit import composite
from ratelimit.spec import RateSpec, rate
from ratelimit.token_bucket import NEVER_NS, TokenBucket

specs = st.builds(rate, st.integers(0, 100), st.just(1), st.integers(1, 20))


@given(st.lists(specs, min_size=1, max_size=4), st.lists(st.integers(1, 6), max_size=30))
def test_all_or_none(chosen: list[RateSpec], asks: list[int]) -> None:
    buckets = [TokenBucket(spec) for spec in chosen]
    for step, n in enumerate(asks):
        now = step * 20_000_000
        before = [bucket.available(now) for bucket in buckets]
        wait_ns = composite.take(buckets, n, now)
        after = [bucket.available(now) for bucket in buckets]
        if wait_ns:
            assert after == before
        else:
            assert after == [max(0, left - n) for left in before]


def test_the_refusing_bucket_says_how_long() -> None:
    account, connector = TokenBucket(rate(10, burst=1)), TokenBucket(rate(1000, burst=100))
    assert composite.take([connector, account], 1, 0) == 0
    assert composite.take([connector, account], 1, 0) == 100_000_000
    assert connector.available(0) == 99


def test_force_take_borrows_from_every_bucket_or_from_none() -> None:
    small, large = TokenBucket(rate(2, burst=1)), TokenBucket(rate(100, burst=10))
    taken = 0
    while composite.force_take([large, small], 1, 0) == 0:
        taken += 1
    assert taken == 3
    assert large.available(0) == 7


def test_available_is_that_of_the_tightest() -> None:
    buckets = [TokenBucket(rate(10, burst=3)), TokenBucket(rate(10, burst=7))]
    assert composite.available(buckets, 0) == 3
    assert composite.available([], 0) == NEVER_NS
    composite.take(buckets, 2, 0)
    composite.refund(buckets, 1)
    assert composite.available(buckets, 0) == 2
