"""When something may go that can be told now to come later: a rate as a timetable, without a queue.

Owns the arithmetic of one limit's moments. What goes at a moment takes its worth of time, n / rate,
out of what is free of the timetable from that moment on, and a moment is possible if that much is
free within a burst's worth of time. So in any span no more goes than rate x span + burst, also when
later moments were given out before earlier ones, and what goes late takes nothing from what goes
now. Pure and exact; reads no clock.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from ratelimit.spec import RateSpec
from ratelimit.token_bucket import NANOSECONDS

STRETCHES_MAX = 10_000  # of one timetable, some 80 bytes each
STEPS_MAX = 100  # of the search for a moment among scattered ones; then behind them all
DEBT_NS = NANOSECONDS


class Timetable:
    """One limit. The first `burst` tokens may go at once.

    Time is counted in 1 / numerator ns, so every token is a whole number of units. Moments are
    whole ns: what goes at one may take up to a ns before it, lest a bit be left over each time.
    """

    __slots__ = ("_behind", "_ends", "_numerator", "_price", "_starts", "behind_ns", "pace", "spec")

    def __init__(self, spec: RateSpec) -> None:
        """`spec` with a rate above 0, else ValueError: no moment would ever come."""
        if spec.paused:
            raise ValueError("a timetable needs a rate above 0")
        self.spec = spec
        self.pace = spec.per_second  # tells which limit is the smallest
        self._numerator = spec.numerator
        self._price = spec.denominator * NANOSECONDS
        self._starts: list[int] = []  # the stretches that are taken, in order, none touching
        self._ends: list[int] = []
        self._behind = 0  # when what stands behind the timetable will have gone, in units
        self.behind_ns = 0  # and in ns

    @property
    def full(self) -> bool:
        """Whether it is too scattered to take in more moments far from each other."""
        return len(self._starts) >= STRETCHES_MAX

    @property
    def clear_ns(self) -> int:
        """From when on nothing is taken."""
        return self._moment(self._ends[-1]) if self._ends else 0

    def earliest(self, n: int, at_ns: int) -> int:
        """The first moment, not before `at_ns`, at which n tokens may go.

        More than the burst goes when the timetable is empty for as long as it takes.
        """
        numerator, burst = self._numerator, self.spec.burst
        worth = n * self._price
        within = worth if n > burst else burst * self._price
        for _ in range(STEPS_MAX):
            at = at_ns * numerator
            through = self._through(at - numerator + 1, worth)
            if through <= at + within:
                return at_ns
            at_ns = -((within - through) // numerator)
        return max(at_ns, self.clear_ns)

    def book(self, n: int, at_ns: int, now_ns: int) -> None:
        """Let n tokens go at `at_ns`, which earliest() named. Forgets what is over."""
        starts, ends = self._starts, self._ends
        if ends and ends[0] < (now_ns - 1) * self._numerator:
            past = bisect_left(ends, (now_ns - 1) * self._numerator)
            del starts[:past], ends[:past]
        at = self._unit(at_ns)
        end = self._through(at, n * self._price)
        first = bisect_left(ends, at)
        last = bisect_right(starts, end)
        if last == first:
            starts.insert(first, at)
            ends.insert(first, end)
            return
        starts[first] = min(at, starts[first])
        ends[first] = max(end, ends[last - 1])
        if last > first + 1:
            del starts[first + 1 : last], ends[first + 1 : last]

    def borrow(self, n: int, now_ns: int) -> None:
        """Let n tokens go now, whatever the timetable says, and let what comes later pay: up to
        the worth of a second or of a burst. What is beyond that is not counted.
        """
        within = max(self.spec.burst, n) * self._price
        debt = max(self.spec.burst * self._price, DEBT_NS * self._numerator)
        through = self._through(self._unit(now_ns), n * self._price)
        if through <= now_ns * self._numerator + within + debt:
            self.book(n, now_ns, now_ns)

    def queue(self, n: int, at_ns: int) -> int:
        """Stand behind the timetable, not before `at_ns`: when it will be n tokens' turn, as far
        as can be said now. Nothing is booked: ask again then.
        """
        begin = max(self._behind, at_ns * self._numerator)
        self._behind = begin + n * self._price
        self.behind_ns = self._moment(self._behind)
        return self._moment(begin)

    def quota(self, now_ns: int) -> tuple[int, int]:
        """How many tokens may go at once now, and in how many ns the whole burst may."""
        unit, within = self._unit(now_ns), self.spec.burst * self._price
        until = now_ns * self._numerator + within
        near = range(bisect_right(self._ends, unit), bisect_left(self._starts, until))
        taken = sum(min(self._ends[k], until) - max(self._starts[k], unit) for k in near)
        tokens = min(self.spec.burst, (until - unit - taken) // self._price)
        return tokens, self.earliest(self.spec.burst, now_ns) - now_ns

    def _through(self, at: int, worth: int) -> int:
        """Where so much of the free time from `at` on is used up."""
        starts, ends = self._starts, self._ends
        for index in range(bisect_right(ends, at), len(ends)):
            gap = starts[index] - at
            if gap > 0:
                if gap >= worth:
                    break
                worth -= gap
            at = ends[index]
        return at + worth

    def _unit(self, moment_ns: int) -> int:
        return moment_ns * self._numerator - self._numerator + 1

    def _moment(self, unit: int) -> int:
        return -(-unit // self._numerator)
