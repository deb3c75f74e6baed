"""How fast one connector may send: its contracted rate, what throttling leaves of it, and pauses.

Owns the combination of token bucket and adaptive rate for one connector. Must not wait nor read a
clock: every call is told the time. Pure.
"""

from __future__ import annotations

from collections.abc import Callable

from ratelimit.adaptive import AdaptiveRate
from ratelimit.spec import RateSpec
from ratelimit.token_bucket import NANOSECONDS, TokenBucket

UNLIMITED_PARTS = 1 << 30
JITTER_PERCENT = 20
TICKS_PER_SECOND = 200  # short of tokens, look again after 5 ms and not at each token


class Pace:
    """The pace of one connector. `rate` None: as fast as the windows allow; throttling then only
    pauses.
    """

    def __init__(
        self,
        rate: RateSpec | None,
        now_ns: int,
        *,
        jitter_percent: Callable[[], int] = lambda: 0,
    ) -> None:
        """`jitter_percent` is by how much one pause differs, -JITTER_PERCENT to JITTER_PERCENT.

        So processes that were throttled together do not come back together.
        """
        self._jitter_percent = jitter_percent
        self._bucket = None if rate is None else TokenBucket(rate, now_ns)
        self._adaptive = None if rate is None else AdaptiveRate(rate, now_ns)
        self._paused_until_ns = now_ns
        self.generation = 0
        self.throttled_total = 0

    @property
    def per_second(self) -> float | None:
        """The rate in force, in parts per second; None: unlimited."""
        return None if self._adaptive is None else self._adaptive.per_second

    @property
    def ceiling(self) -> RateSpec | None:
        """The contracted rate, in parts per second; None: unlimited."""
        return None if self._adaptive is None else self._adaptive.ceiling

    def set_rate(self, rate: RateSpec | None, now_ns: int) -> None:
        """Change the contracted rate. What throttling has left of it stays, below the new
        ceiling.
        """
        if rate is None:
            self._bucket = self._adaptive = None
        elif self._adaptive is None or self._bucket is None:
            self._bucket = TokenBucket(rate, now_ns)
            self._adaptive = AdaptiveRate(rate, now_ns)
        else:
            self._adaptive.set_ceiling(rate)
            self._bucket.set_rate(self._adaptive.spec(), now_ns)

    def available(self, now_ns: int) -> int:
        """Parts that may be written now."""
        if now_ns < self._paused_until_ns:
            return 0
        if self._bucket is None or self._adaptive is None:
            return UNLIMITED_PARTS
        if self._adaptive.tick(now_ns):
            self._bucket.set_rate(self._adaptive.spec(), now_ns)
        return self._bucket.available(now_ns)

    def affords(self, parts: int, now_ns: int) -> bool:
        """Whether these parts may be written at once, as those of a message_payload are.

        More than the burst may once the bucket is full. They are waited out afterwards.
        """
        if self._bucket is not None:
            parts = min(parts, self._bucket.spec.burst)
        return self.available(now_ns) >= parts

    def take(self, parts: int, now_ns: int) -> None:
        """Count parts that were written. The same callback asked available() or affords()
        before.
        """
        if self._bucket is not None and parts:
            self._bucket.take(parts, now_ns)

    def wait_ns(self, now_ns: int, parts: int = 1) -> int:
        """ns until available() or affords(parts) is worth asking again, after it refused."""
        if now_ns < self._paused_until_ns:
            return self._paused_until_ns - now_ns
        if self._bucket is None:
            return 0
        spec = self._bucket.spec
        if spec.paused:
            return NANOSECONDS
        worth = spec.numerator // (spec.denominator * TICKS_PER_SECOND)
        return self._bucket.take(max(1, min(spec.burst, max(parts, worth))), now_ns)

    def duration_ns(self, parts: int) -> int:
        """How many ns so many parts last at the rate in force; 0 where there is none."""
        if self._bucket is None or not self._bucket.spec.numerator:
            return 0
        spec = self._bucket.spec
        return parts * spec.denominator * NANOSECONDS // spec.numerator

    def ahead(self, window: int) -> int:
        """How many parts open intents may name: one window, at most a second's worth."""
        if self._bucket is None:
            return window
        spec = self._bucket.spec
        return min(window, max(spec.burst, spec.numerator // spec.denominator, 1))

    def throttled(self, generation: int, now_ns: int) -> None:
        """The carrier refused a part of this generation with ESME_RTHROTTLED or ESME_RMSGQFUL
        (E37).
        """
        self.throttled_total += 1
        if generation != self.generation:
            return  # one burst gives one signal
        self.generation += 1
        jitter_percent = self._jitter_percent()
        if self._adaptive is None or self._bucket is None:
            self.pause(now_ns, 1 + jitter_percent / 100)
            return
        self._adaptive.throttled(self._adaptive.generation, now_ns, jitter_percent=jitter_percent)
        self._bucket.set_rate(self._adaptive.spec(), now_ns)
        self._paused_until_ns = max(self._paused_until_ns, self._adaptive.resume_at_ns)

    def pause(self, now_ns: int, seconds: float) -> None:
        """Write nothing for this many ns."""
        self._paused_until_ns = max(self._paused_until_ns, now_ns + int(seconds * NANOSECONDS))
