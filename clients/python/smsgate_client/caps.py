"""Owns caps of groups: what is asked for, and what is answered. Must not ask."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict


@dataclass(frozen=True, kw_only=True)
class NewCap:
    """How much marketing those with a tag, or in a segment, get at most: name one of the two.

    Without a limit any number is welcome; 0 is none.
    """

    tag: str | None = None
    segment: str | None = None
    day: int | None = None
    week: int | None = None
    month: int | None = None


class CapChanges(TypedDict, total=False):
    """Limits that are to be different, None for any number; what is not given stays."""

    day: int | None
    week: int | None
    month: int | None


@dataclass(frozen=True, kw_only=True)
class Cap:
    """A cap as it stands. Give its `version` with a change.

    `members`, `members_at`: of a segment, as it was read last. `fault`: why not since.
    """

    id: str
    tag: str | None
    segment: str | None
    day: int | None
    week: int | None
    month: int | None
    version: int
    changed_at: datetime
    members: int | None
    members_at: datetime | None
    fault: str | None
    object: str = "cap"
