"""Several rate limits on one path: the first moment that satisfies all of them.

Owns the search. Must not take tokens: the caller books the moment with every limit afterwards, so
nothing ever has to be given back. The smallest limit is asked first, because it decides most often.
Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

ROUNDS_MAX = 100  # of one search; beyond it, the moment from which no limit has anything taken


class Limit(Protocol):
    """What the search asks of one rate limit."""

    @property
    def clear_ns(self) -> int:
        """The moment in ns from which nothing of it is taken."""

    def earliest(self, n: int, at_ns: int) -> int:
        """The first moment in ns, not before `at_ns`, at which n tokens may go."""


def first_moment(limits: Sequence[Limit], n: int, now_ns: int) -> tuple[int, int | None]:
    """(moment in ns, position of the limit that decided it). The position is None when all allow
    now.

    `limits` come with the smallest rate first. The moment is the first at which each lets n tokens
    go.
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
