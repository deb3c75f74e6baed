"""Cells: messages of a campaign that nothing tells apart any more, as sums.

Owns what is counted of them, and how cells are added up, merged and told to be of one group. Must
not read a table. Pure.

A person has at most one message of a campaign that was ever on the wire. So people are counted by
messages, and cells can be added up.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import msgspec

from dlr.rollups.columns import OUTCOMES as ENDED

OUTCOMES = ("accepted", "sent", "parts", *ENDED, "pending", "late")
REPLIES = ("opt_out", "opt_in", "help", "keyword", "rating", "other")
# What a person did. Once counted it stays: who is erased, or whose day is deleted, counts on.
LASTING = (
    "opted_out", "opted_out_delivered", "complained", "replied", "replied_delivered",
    *(f"replied_{each}" for each in REPLIES), "ratings", "rating_sum", "recalled", "retained_d1",
    "retained_d7", "retained_d30",
)  # fmt: skip
COUNTS = (
    *OUTCOMES, "clicks", "human_clicks", "human_clicks_delivered", "clicked", "clicked_delivered",
    "landed_clicks", "visitors", "conversions", "conversions_without_click", "converted",
    "converted_delivered", "converted_visitors", *LASTING,
)  # fmt: skip
GROUP_MIN = 10  # a smaller group tells of persons
OTHERS = "(others)"


class CellKey(NamedTuple):
    """What its messages share. `segments`: bits; `hour`: since 1970 in UTC."""

    batch: int
    version: int
    arm: int
    operator: int
    segments: int
    hour: int


class Sums(msgspec.Struct):
    """`clicks`: of people, by full hours since the first submit."""

    counts: Counter[str] = msgspec.field(default_factory=Counter)
    clicks: Counter[int] = msgspec.field(default_factory=Counter)

    def add(self, other: Sums) -> None:
        """These, too."""
        self.counts.update(other.counts)
        self.clicks.update(other.clicks)


Cells = dict[CellKey, Sums]
KeysOf = Callable[[CellKey], Iterable[str | None]]
"""The groups that messages of a cell are in: one, or several where groups overlap."""


def lasting(counted: Cells, stored: Mapping[CellKey, Sums]) -> Cells:
    """What was counted, with nothing less of LASTING than is stored."""
    for key, before in stored.items():
        kept = {name: before.counts[name] for name in LASTING if before.counts[name]}
        if not kept:
            continue
        now = counted.setdefault(key, Sums()).counts
        for name, count in kept.items():
            now[name] = max(now[name], count)
    return counted


def total_of(cells: Mapping[CellKey, Sums]) -> Sums:
    """All of them."""
    total = Sums()
    for sums in cells.values():
        total.add(sums)
    return total


def grouped(cells: Mapping[CellKey, Sums], key_of: KeysOf) -> dict[str | None, Sums]:
    """Cells by the keys that each has: one, several where groups overlap."""
    groups: dict[str | None, Sums] = defaultdict(Sums)
    for key, sums in cells.items():
        for name in key_of(key):
            groups[name].add(sums)
    return dict(groups)


def told_apart(
    cells: Mapping[CellKey, Sums],
    key_of: KeysOf,
    *,
    least: int = GROUP_MIN,
) -> tuple[dict[str | None, Sums], int]:
    """Groups that may be told, and how many are merged into the one named OTHERS.

    Groups of fewer than `least` messages are. As long as these have fewer together, the next
    smallest is among them. Else the total would tell of them.
    """
    merged: set[str | None] = set()
    while True:
        groups = grouped(cells, _merging(key_of, frozenset(merged)))
        sizes = {name: sums.counts["accepted"] for name, sums in groups.items() if name != OTHERS}
        few = {name for name, size in sizes.items() if size < least}
        if not few and sizes and OTHERS in groups and groups[OTHERS].counts["accepted"] < least:
            few = {min(sizes, key=lambda name: (sizes[name], str(name)))}
        if not few:
            return groups, len(merged)
        merged |= few


def _merging(key_of: KeysOf, merged: frozenset[str | None]) -> KeysOf:
    return lambda key: {OTHERS if name in merged else name for name in key_of(key)}
