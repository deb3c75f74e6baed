"""The hour of a day in which a contact is most likely to react.

Owns that choice. Must not know an hour's meaning: which ones are allowed is said. Pure.

A contact's own hours count as they are, with ten more that are spread as those of its segment. So
one who did little is taken as the others are, and one who did much as itself.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

HOURS = 24
OF_SEGMENT = 10  # events that the segment's share counts for
_SAME = 1e-12


def shares(own: Sequence[int], segment: Sequence[float]) -> list[float]:
    """For each hour its share, between 0 and 1.

    `own`: events by hour. `segment`: the share of each hour in the segment, which sum up to 1.
    """
    total = sum(own) + OF_SEGMENT
    return [(mine + OF_SEGMENT * theirs) / total for mine, theirs in zip(own, segment, strict=True)]


def best_hour(own: Sequence[int], segment: Sequence[float], allowed: Collection[int]) -> int | None:
    """The allowed hour with the largest share, the earliest of equal ones; None: none is."""
    best: int | None = None
    found = shares(own, segment)
    for hour in sorted(allowed):
        if best is None or found[hour] > found[best] + _SAME:
            best = hour
    return best


def of_day(profile: Sequence[int], *, weekend: bool) -> Sequence[int]:
    """The 24 hours of a kind of day, of the 48 in `hour_profile.hours`."""
    return profile[HOURS:] if weekend else profile[:HOURS]
