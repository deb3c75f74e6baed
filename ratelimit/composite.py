"""Several limits on one path: all of them, or none.

Owns the order in which they are asked. The smallest first: it refuses most often, so a larger
allowance is rarely taken and given back. Single-threaded by design; nothing may await between the
takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ratelimit.token_bucket import NEVER_NS, TokenBucket


def _pace(bucket: TokenBucket) -> float:
    return bucket.spec.per_second


def take(buckets: Sequence[TokenBucket], n: int, now_ns: int) -> int:
    """Take n tokens from every bucket and return 0, or leave all as they were and return the
    nanoseconds to wait.

    The wait is that of the bucket which refused; another may refuse after it.
    """
    return _take(buckets, n, now_ns, force=False)


def force_take(buckets: Sequence[TokenBucket], n: int, now_ns: int) -> int:
    """As take, with the bounded debt of TokenBucket.force_take."""
    return _take(buckets, n, now_ns, force=True)


def _take(buckets: Sequence[TokenBucket], n: int, now_ns: int, *, force: bool) -> int:
    ordered = sorted(buckets, key=_pace) if len(buckets) > 1 else buckets
    for position, bucket in enumerate(ordered):
        wait_ns = bucket.force_take(n, now_ns) if force else bucket.take(n, now_ns)
        if wait_ns:
            for taken in ordered[:position]:
                taken.refund(n)
            return wait_ns
    return 0


def refund(buckets: Iterable[TokenBucket], n: int) -> None:
    """Give n tokens back to every bucket."""
    for bucket in buckets:
        bucket.refund(n)


def available(buckets: Iterable[TokenBucket], now_ns: int) -> int:
    """Whole tokens that every bucket has now; NEVER_NS (as good as unlimited) when there is no
    bucket.
    """
    return min((bucket.available(now_ns) for bucket in buckets), default=NEVER_NS)
