"""Several limits on one path: a moment that suits them all, or none is asked for anything.

Owns the search. The smallest limit is asked first, since it decides most often; nothing is taken
from any of them until all agree, so there is nothing to give back. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

ROUNDS_MAX = 100  # beyond them a moment is taken at which nothing of any limit is


class Limit(Protocol):
    """What may say when."""

    @property
    def clear_ns(self) -> int:
        """From when on nothing of it is taken."""

    def earliest(self, n: int, at_ns: int) -> int:
        """The first moment, not before `at_ns`, at which n tokens may go."""


def first_moment(limits: Sequence[Limit], n: int, now_ns: int) -> tuple[int, int | None]:
    """The first moment at which every limit lets n tokens go, and the position of the limit that
    has decided it; None for now. `limits` with the smallest first.
    """
    at_ns, decided = now_ns, None
    for _ in range(ROUNDS_MAX):
        agreed = True
        for position, limit in enumerate(limits):
            moment = limit.earliest(n, at_ns)
            if moment > at_ns:
                at_ns, decided = moment, position
                agreed = position == 0  # those before it are asked again
        if agreed:
            return at_ns, decided
    return max(at_ns, *(limit.clear_ns for limit in limits)), decided
