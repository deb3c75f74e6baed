"""A token bucket in whole numbers: without floats it does not drift, however long it runs.

Owns the arithmetic of one limit. Must not read a clock: `now_ns` is any monotonic count of ns. One
token is one message part (E39). A bucket holds at most its burst. So any window of one second sees
at most rate + burst (E41).
"""

from __future__ import annotations

from ratelimit.spec import RateSpec

NANOSECONDS = 1_000_000_000
NEVER_NS = 1 << 62
"""The wait that a paused bucket (rate 0) answers: until set_rate."""


class TokenBucket:
    """One limit. It starts full.

    The level is counted in units of 1 / (denominator * 1e9) token. Each nanosecond adds `numerator`
    units, so every sum is exact.
    """

    __slots__ = ("_full", "_level", "_seen_ns", "_unit", "spec")

    def __init__(self, spec: RateSpec, now_ns: int = 0) -> None:
        self.spec = spec
        self._unit = spec.denominator * NANOSECONDS
        self._full = spec.burst * self._unit
        self._level = self._full
        self._seen_ns = now_ns

    def take(self, n: int, now_ns: int) -> int:
        """Take n tokens and return 0; or take none and return the ns to wait for them.

        More than the burst passes when the bucket is full: say a message of 5 parts where the burst
        is 2. It leaves a debt that the next taker waits out. The long-run rate holds; the bound for
        one window becomes rate + n.
        """
        if self.spec.numerator == 0:
            return NEVER_NS
        self._settle(now_ns)
        price = n * self._unit
        missing = min(price, self._full) - self._level
        if missing <= 0:
            self._level -= price
            return 0
        return -(-missing // self.spec.numerator)

    def available(self, now_ns: int) -> int:
        """Whole tokens that can be had now; 0 when in debt or paused."""
        if self.spec.numerator == 0:
            return 0
        self._settle(now_ns)
        return max(0, self._level // self._unit)

    def full_in(self, now_ns: int) -> int:
        """Nanoseconds until the bucket is full if nothing is taken; NEVER_NS when paused."""
        if self.spec.numerator == 0:
            return NEVER_NS
        self._settle(now_ns)
        return -(-(self._full - self._level) // self.spec.numerator)

    def set_rate(self, spec: RateSpec, now_ns: int) -> None:
        """Change the limit. What is in the bucket stays (rounded down), up to the new burst; so
        does a debt.
        """
        if spec == self.spec:
            return
        self._settle(now_ns)
        unit = spec.denominator * NANOSECONDS
        self._full = spec.burst * unit
        self._level = min(self._full, self._level * unit // self._unit)
        self._unit = unit
        self.spec = spec

    def _settle(self, now_ns: int) -> None:
        elapsed = now_ns - self._seen_ns
        if elapsed > 0:  # a clock that steps back gives nothing and takes nothing
            self._seen_ns = now_ns
            self._level = min(self._full, self._level + elapsed * self.spec.numerator)
