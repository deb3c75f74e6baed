"""A rate limit that hands out send times in advance: a reservation calendar, with no queue behind
it.

Owns the arithmetic of one limit's reservations. Must not read a clock, and must not know what is
sent. Pure, in whole numbers.

n tokens at rate r occupy n / r seconds of the calendar. They take the first free time from their
moment on. A moment is possible if that much time is free within one burst's worth after it.

So in any span no more goes than rate x span + burst. This also holds when later moments were given
out before earlier ones. What goes late takes nothing from what goes now.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from ratelimit.spec import RateSpec
from ratelimit.token_bucket import NANOSECONDS

STRETCHES_MAX = 10_000  # of one timetable, some 80 bytes each
STEPS_MAX = 100  # of one search among scattered reservations; beyond it, behind them all
DEBT_NS = NANOSECONDS


class Timetable:
    """One limit. It starts empty, so the first `burst` tokens may go at once.

    Time is counted in units of 1 / numerator ns, so every token costs a whole number of units.
    Moments are whole ns. What goes at a moment may take up to 1 ns before it, so that rounding
    leaves no gaps.
    """

    __slots__ = ("_behind", "_ends", "_numerator", "_price", "_starts", "behind_ns", "pace", "spec")

    def __init__(self, spec: RateSpec) -> None:
        """`spec` with a rate above 0, else ValueError: no moment would ever come."""
        if spec.paused:
            raise ValueError("a timetable needs a rate above 0")
        self.spec = spec
        self.pace = spec.per_second  # parts per second, by which limits are ordered
        self._numerator = spec.numerator
        self._price = spec.denominator * NANOSECONDS
        # Where each taken stretch begins, in units, ascending, none touching
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._behind = 0  # when those queued behind the calendar will have gone, in units
        self.behind_ns = 0  # the same in ns

    @property
    def full(self) -> bool:
        """Whether it holds STRETCHES_MAX taken stretches. What would go at a far moment then has to
        queue.
        """
        return len(self._starts) >= STRETCHES_MAX

    @property
    def clear_ns(self) -> int:
        """The moment in ns from which nothing is taken; 0 when nothing is."""
        return self._moment(self._ends[-1]) if self._ends else 0

    def earliest(self, n: int, at_ns: int) -> int:
        """The first moment in ns, not before `at_ns`, at which n tokens may go.

        More tokens than the burst go once the calendar is free for as long as they take. After
        STEPS_MAX steps the answer is behind everything taken. Takes nothing: book() does.
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
        """Take n tokens at `at_ns`, a moment that earliest() named. Stretches before `now_ns` are
        forgotten.
        """
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
        """Let n tokens go now, whatever is taken, and let later ones pay for them.

        The debt is bounded by the worth of one second or of one burst, whichever is larger. Tokens
        beyond that bound go too, and are not counted.
        """
        within = max(self.spec.burst, n) * self._price
        debt = max(self.spec.burst * self._price, DEBT_NS * self._numerator)
        through = self._through(self._unit(now_ns), n * self._price)
        if through <= now_ns * self._numerator + within + debt:
            self.book(n, now_ns, now_ns)

    def queue(self, n: int, at_ns: int) -> int:
        """Stand behind the calendar, not before `at_ns`. Returns the expected turn in ns.

        Nothing is booked: ask earliest() again when the turn has come.
        """
        begin = max(self._behind, at_ns * self._numerator)
        self._behind = begin + n * self._price
        self.behind_ns = self._moment(self._behind)
        return self._moment(begin)

    def quota(self, now_ns: int) -> tuple[int, int]:
        """(tokens that may go at once now, ns until a whole burst may)."""
        unit, within = self._unit(now_ns), self.spec.burst * self._price
        until = now_ns * self._numerator + within
        near = range(bisect_right(self._ends, unit), bisect_left(self._starts, until))
        taken = sum(min(self._ends[k], until) - max(self._starts[k], unit) for k in near)
        tokens = min(self.spec.burst, (until - unit - taken) // self._price)
        return tokens, self.earliest(self.spec.burst, now_ns) - now_ns

    def _through(self, at: int, worth: int) -> int:
        """The unit at which `worth` units of free time, counted from `at`, are used up."""
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
