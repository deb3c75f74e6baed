"""When something may go that can be told now to come later: a rate as a timetable, without a queue.

Owns the arithmetic of virtual scheduling (the form of the leaky bucket in ITU-T I.371): each
reservation is given its own moment, and the moments keep the rate. Pure and exact; reads no clock.
"""

from __future__ import annotations

from ratelimit.spec import RateSpec
from ratelimit.token_bucket import NANOSECONDS


class VirtualSchedule:
    """One limit. The first `burst` tokens may go at once."""

    __slots__ = ("_spec", "_until")

    def __init__(self, spec: RateSpec) -> None:
        """`spec` with a rate above 0, else ValueError: no moment would ever come."""
        if spec.paused:
            raise ValueError("a schedule needs a rate above 0")
        self._spec = spec
        self._until = 0  # when everything reserved is used up, in 1 / numerator ns

    def reserve(self, n: int, now_ns: int) -> int:
        """Take the next n tokens; returns in how many ns they may be used, 0 for now.

        A reservation larger than the burst goes when the schedule is empty, and is paid for by
        those behind.
        """
        spec = self._spec
        price = spec.denominator * NANOSECONDS
        now = now_ns * spec.numerator
        until = max(self._until, now) + n * price
        self._until = until
        ahead = until - now - max(spec.burst, n) * price
        return max(0, -(-ahead // spec.numerator))

    def borrow(self, n: int, now_ns: int) -> None:
        """Use n tokens at once, whatever the schedule says; those behind wait the longer."""
        self.reserve(n, now_ns)

    def quota(self, now_ns: int) -> tuple[int, int]:
        """How many tokens may go at once now, and in how many ns the whole burst may again."""
        spec = self._spec
        price = spec.denominator * NANOSECONDS
        ahead = max(0, self._until - now_ns * spec.numerator)
        return max(0, spec.burst - -(-ahead // price)), -(-ahead // spec.numerator)
