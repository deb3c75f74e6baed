"""Owns when the next bind attempt may be made: exponential backoff with jitter, at most so many a
minute.

Must not sleep, draw random numbers or read a clock: all come in as arguments. Carriers ban
addresses that rebind in a storm (E54).
"""

from __future__ import annotations

from collections import deque

MINUTE_SECONDS = 60.0
DOUBLINGS_MAX = 30  # 2**30 times any sensible minimum is beyond any maximum; keeps the int small


class Backoff:
    """Waits that double from ``seconds_min`` to ``seconds_max``, each cut by up to a half.

    Binds that lost the same carrier then do not all come back at once (E53). Half of every wait is
    kept, so none comes back immediately.
    """

    __slots__ = ("_failures", "seconds_max", "seconds_min")

    def __init__(self, seconds_min: float, seconds_max: float) -> None:
        if not 0 < seconds_min <= seconds_max:
            raise ValueError(f"need 0 < min <= max, got {seconds_min} and {seconds_max} seconds")
        self.seconds_min = seconds_min
        self.seconds_max = seconds_max
        self._failures = 0

    def next_wait(self, chance: float) -> float:
        """Seconds to wait after one more failure; ``chance`` is uniform in [0, 1)."""
        wait = min(self.seconds_max, self.seconds_min * 2**self._failures)
        self._failures = min(self._failures + 1, DOUBLINGS_MAX)
        return float(wait * (0.5 + chance / 2))

    def reset(self) -> None:
        """A session held: the next failure starts again at the minimum."""
        self._failures = 0


class AttemptLimit:
    """At most ``per_minute`` attempts in any 60 seconds; those that nobody saw do not count."""

    __slots__ = ("_attempts", "per_minute")

    def __init__(self, per_minute: int) -> None:
        if per_minute < 1:
            raise ValueError(f"at least one attempt a minute is needed, not {per_minute}")
        self.per_minute = per_minute
        self._attempts: deque[float] = deque(maxlen=per_minute)

    def wait(self, now: float) -> float:
        """Seconds until an attempt is allowed; 0.0 when it is allowed now."""
        if len(self._attempts) < self.per_minute:
            return 0.0
        return max(0.0, self._attempts[0] + MINUTE_SECONDS - now)

    def record(self, now: float) -> None:
        """An attempt reached the carrier."""
        self._attempts.append(now)
