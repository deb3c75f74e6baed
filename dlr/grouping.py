"""What a report may be grouped by, and where its figures stand for that.

Owns the dimensions, the order of groups, and which table answers. Must not read one. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

import msgspec

from dlr.reasons import Reason
from dlr.rollups.columns import NO_NAME, OTHER, quarter_of
from dlr.zones import UNITS, Edge, edges
from storage.categories import Category
from storage.ids import format_id

# Of rollup_key, in the order of its columns.
KEYS = ("account", "category", "connector", "sender", "country", "operator", "campaign", "variant")
NAMED = frozenset({"sender", "campaign", "variant", "tag"})  # by numbers of rollup_name
# The order of the flags and columns of the counting statements.
COLUMNS = (*KEYS, "tag", "batch", "reason", "unit")
GROUP_KEYS = (*KEYS, "tag", "batch", "reason", *UNITS)
OTHERS = "other"
TAG_KEYS = frozenset({"account", "category", "tag", *UNITS})

KeyValue = int | str | None
Key = tuple[KeyValue, ...]


class Names(Protocol):
    """The names that stand for small numbers in every row."""

    def account_name(self, number: int) -> str:
        """Of an account."""

    def connector_name(self, number: int) -> str | None:
        """Of a connector; None for none."""

    def country_name(self, number: int) -> str | None:
        """Of a country; None where it is not known."""

    def operator_name(self, number: int) -> str | None:
        """Of an operator; None where it is not known."""


class Grouping(msgspec.Struct, frozen=True):
    """`keys` in the order asked for; `unit` is the one of time among them."""

    keys: tuple[str, ...]
    unit: str | None
    columns: tuple[str, ...]

    @property
    def scanned(self) -> bool:
        """Whether no rollup has this: it is counted from the messages."""
        return "batch" in self.keys or ("tag" in self.keys and not set(self.keys) <= TAG_KEYS)

    @property
    def flags(self) -> tuple[bool, ...]:
        """Which of COLUMNS the counting statements tell apart."""
        return tuple(column in self.columns for column in COLUMNS)

    def units(self, zone: ZoneInfo, since: datetime, until: datetime) -> Sequence[Edge]:
        """The units of time that the span touches; none where none is asked for.

        Raises ZoneNotQuarterly.
        """
        if self.unit is None or since >= until:
            return []
        last = quarter_of(until) + 1
        found = edges(zone, self.unit, quarter_of(since), last)
        return [edge for edge in found if edge.quarter < last]


def grouping_of(names: Sequence[str], known: Sequence[str] = GROUP_KEYS) -> Grouping:
    """The grouping by these of `known`, which may be none. Raises ValueError, worded for the
    client.
    """
    for name in names:
        if name not in known:
            raise ValueError(f"no dimension {name!r}")
    units = [name for name in names if name in UNITS]
    if len(units) > 1:
        raise ValueError(f"only one of {', '.join(UNITS)} at a time")
    columns = tuple("unit" if name in UNITS else name for name in names)
    return Grouping(tuple(names), units[0] if units else None, columns)


def place_of(key: Key) -> tuple[str, ...]:
    """Where a group stands among the others: in the order of its values, nothing last."""
    return tuple(
        "1"
        if value is None
        else f"0{value + _BELOW:020}"
        if isinstance(value, int)
        else f"0{value}"
        for value in key
    )


def shown(
    grouping: Grouping, key: Key, units: Sequence[Edge], names: Names
) -> dict[str, str | None]:
    """A group's key as the API tells it."""
    told: dict[str, str | None] = {}
    for name, value in zip(grouping.keys, key, strict=True):
        told[name] = _text(name, value, units, names)
    return told


def named(value: KeyValue, texts: Mapping[int, str]) -> KeyValue:
    """The text of a number of rollup_name."""
    if value is None or value == NO_NAME:
        return None
    return OTHERS if value == OTHER else texts.get(int(value), f"name {value}")


_BELOW = 10  # -1 is a number, too; places are compared as texts


def _text(name: str, value: KeyValue, units: Sequence[Edge], names: Names) -> str | None:
    if not isinstance(value, int):
        return value
    if name in UNITS:
        return units[value].label
    spoken: Mapping[str, Callable[[int], str | None]] = {
        "account": names.account_name,
        "connector": names.connector_name,
        "country": names.country_name,
        "operator": names.operator_name,
        "category": lambda number: Category(number).label,
        "reason": lambda number: Reason(number).label,
        "batch": lambda number: format_id("bat", number),
        "message": lambda number: format_id("msg", number),
    }
    return spoken.get(name, str)(value)
