"""The least time between two messages to one number.

Owns the moments given out to each number, as long as they matter. Must not read a clock. Pure;
bounded.
"""

from __future__ import annotations

from collections import OrderedDict

RECIPIENTS_MAX = 200_000  # remembered; some 230 bytes each
MOMENTS_MAX = 100  # of one number


class RecipientGap:
    """The gaps of all numbers."""

    def __init__(self) -> None:
        self.gap_ns = 0
        self._moments: OrderedDict[bytes, tuple[int, ...]] = OrderedDict()

    def of(self, to_idx: bytes, now_ns: int) -> RecipientMoments:
        """The moments of one number, as far as they still matter."""
        moments = self._moments.get(to_idx, ())
        while moments and moments[0] <= now_ns - self.gap_ns:
            moments = moments[1:]
        return RecipientMoments(self, to_idx, moments)

    def remember(self, to_idx: bytes, moments: tuple[int, ...]) -> None:
        """Keep a number's moments. Beyond the bound the oldest numbers are forgotten."""
        self._moments.pop(to_idx, None)
        if len(self._moments) >= RECIPIENTS_MAX:
            self._moments.popitem(last=False)
        self._moments[to_idx] = moments


class RecipientMoments:
    """One number, as a limit beside timetables. It counts messages, not parts."""

    __slots__ = ("_all", "_moments", "_to_idx")

    behind_ns = 0  # those without a moment queue in no order

    def __init__(self, numbers: RecipientGap, to_idx: bytes, moments: tuple[int, ...]) -> None:
        self._all = numbers
        self._to_idx = to_idx
        self._moments = moments

    @property
    def full(self) -> bool:
        """Whether this number gets no more moments at present."""
        return len(self._moments) >= MOMENTS_MAX

    @property
    def clear_ns(self) -> int:
        """The moment one gap after the last, in ns."""
        return self._moments[-1] + self._all.gap_ns if self._moments else 0

    def earliest(self, n: int, at_ns: int) -> int:
        """The first moment in ns, not before `at_ns`, with a gap before and after it."""
        gap_ns = self._all.gap_ns
        for moment in self._moments:
            if moment - gap_ns < at_ns < moment + gap_ns:
                at_ns = moment + gap_ns
        return at_ns

    def book(self, n: int, at_ns: int, now_ns: int) -> None:
        """Count a message to this number at `at_ns`."""
        self._all.remember(self._to_idx, tuple(sorted((*self._moments, at_ns))))

    def borrow(self, n: int, now_ns: int) -> None:
        """A one-time password keeps no gap."""

    def queue(self, n: int, at_ns: int) -> int:
        """The moment in ns at which to ask again."""
        return max(at_ns, self.clear_ns)
