"""Units of time that begin within UTC days, counted by whole UTC days all the same.

Owns in which unit a day is counted, and which of its quarters belong to another. Must not read
anything. Pure.

A day in which a unit begins is counted as a whole in the unit that has more of it. The quarters of
the rest are moved to their own. So at most half of the quarters are read, and each message is in
its unit.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from dlr.rollups.columns import QUARTERS_PER_DAY
from dlr.spans import Range


class ByDays(msgspec.Struct, frozen=True):
    """`edges`: with which quarter each unit begins as days are counted. `moved`: the quarters that
    are then in the wrong one.
    """

    edges: Sequence[int]
    moved: Sequence[int]


def fits(edges: Sequence[int]) -> bool:
    """Whether no two units begin within one day. `edges`: the first quarter of each, rising."""
    within = [edge // QUARTERS_PER_DAY for edge in edges[1:] if edge % QUARTERS_PER_DAY]
    return len(set(within)) == len(within)


def by_days(edges: Sequence[int], days: Range) -> ByDays:
    """How these units are counted where [first, end) are read as whole days. They fit."""
    rounded: list[int] = list(edges[:1])
    moved: list[int] = []
    for edge in edges[1:]:
        day, before = divmod(edge, QUARTERS_PER_DAY)
        start, end = day * QUARTERS_PER_DAY, (day + 1) * QUARTERS_PER_DAY
        if before == 0 or not days[0] <= day < days[1]:
            rounded.append(edge)
        elif before <= QUARTERS_PER_DAY // 2:
            rounded.append(start)
            moved += range(start, edge)
        else:
            rounded.append(end)
            moved += range(edge, end)
    return ByDays(rounded, moved)
