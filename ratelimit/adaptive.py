"""The pace that a carrier really takes, found by additive increase and multiplicative decrease
(AIMD).

Owns how fast a connector may go, between a floor and its contracted ceiling. Must not send, sleep
or read a clock. The bucket that enforces the result belongs to the caller.
"""

from __future__ import annotations

from ratelimit.spec import RateSpec, rate
from ratelimit.token_bucket import NANOSECONDS

MILLI = 1000  # rates are counted in thousandths of a part per second
CUT_PERCENT = 70
PAUSE_NS = NANOSECONDS
RAISE_MILLI_MIN = 500
RAISE_PERCENT = 2
# One part a second: slow enough for any carrier, fast enough to notice that it is well again.
FLOOR_MILLI = 1000


class AdaptiveRate:
    """The current rate of one connector.

    An overrun carrier refuses everything that was in flight. All those refusals are one signal. So
    each submission remembers the `generation` it was written in, and only a refusal of the current
    one cuts the rate.
    """

    __slots__ = (
        "_clean_since_ns",
        "_floor_milli",
        "_milli",
        "ceiling",
        "cuts",
        "generation",
        "resume_at_ns",
    )

    def __init__(self, ceiling: RateSpec, now_ns: int = 0) -> None:
        self.ceiling = ceiling
        self._milli = self._ceiling_milli()
        self._floor_milli = min(FLOOR_MILLI, self._milli)
        self._clean_since_ns = now_ns
        self.generation = 0
        self.resume_at_ns = now_ns
        self.cuts = 0

    @property
    def per_second(self) -> float:
        """For display and metrics."""
        return self._milli / MILLI

    def spec(self) -> RateSpec:
        """The rate to enforce now; its burst never exceeds the contracted one."""
        if self._milli == self._ceiling_milli():
            return self.ceiling
        current = rate(self._milli, MILLI)
        return RateSpec(self._milli, MILLI, min(current.burst, self.ceiling.burst))

    def throttled(self, generation: int, now_ns: int, *, jitter_percent: int = 0) -> bool:
        """The carrier answered ESME_RTHROTTLED or ESME_RMSGQFUL (E37) to a submit_sm of this
        generation.

        Returns whether that changed anything. The rate then goes to 70 %, and sending pauses until
        `resume_at_ns`. That is one second later plus `jitter_percent` (-20 to 20). The caller
        chooses it, so that processes do not come back together.
        """
        self._clean_since_ns = max(self._clean_since_ns, now_ns)
        if generation != self.generation:
            return False
        self.generation += 1
        self.cuts += 1
        self._milli = max(self._floor_milli, self._milli * CUT_PERCENT // 100)
        self.resume_at_ns = now_ns + PAUSE_NS * (100 + jitter_percent) // 100
        self._clean_since_ns = self.resume_at_ns
        return True

    def tick(self, now_ns: int) -> bool:
        """Call now and then. Each whole second without a refusal raises the rate by 2 % of the
        ceiling, at least 0.5/s.

        Returns whether the rate changed. It never exceeds the ceiling. The pause is no clean
        second. A connector that was disconnected while throttled recovers by the clock alone (E38).
        """
        clean_seconds = (now_ns - self._clean_since_ns) // NANOSECONDS
        if clean_seconds <= 0:
            return False
        self._clean_since_ns += clean_seconds * NANOSECONDS
        top = self._ceiling_milli()
        if self._milli >= top:
            return False
        step = max(RAISE_MILLI_MIN, top * RAISE_PERCENT // 100)
        self._milli = min(top, self._milli + clean_seconds * step)
        return True

    def pause_ns(self, now_ns: int) -> int:
        """ns until sending may go on; 0: now."""
        return max(0, self.resume_at_ns - now_ns)

    def set_ceiling(self, ceiling: RateSpec) -> None:
        """The contracted rate changed, or this process's share of it. A rate at the old ceiling
        follows it.
        """
        at_top = self._milli == self._ceiling_milli()
        self.ceiling = ceiling
        top = self._ceiling_milli()
        self._milli = top if at_top else min(self._milli, top)
        self._floor_milli = min(FLOOR_MILLI, top)
        self._milli = max(self._milli, self._floor_milli)

    def _ceiling_milli(self) -> int:
        return self.ceiling.numerator * MILLI // self.ceiling.denominator
