"""What the names in a segment stand for: an account's attributes, tags and other segments.

Owns these shapes. Must not read a table (reading.py fills them in).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from types import MappingProxyType
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

AttributeType = Literal["text", "number", "money", "date", "instant", "bool", "set"]


class SavedSegment(msgspec.Struct, frozen=True):
    """Another segment that can be referred to. `source` None: it is static, and has members."""

    id: int
    source: str | None


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """Each name with what it stands for: the type of an attribute, the id of a tag.

    `itself`: the name of the segment that is looked at, which nothing in it may lead back to.
    """

    account: int
    attributes: Mapping[str, AttributeType] = MappingProxyType({})
    tags: Mapping[str, int] = MappingProxyType({})
    segments: Mapping[str, SavedSegment] = MappingProxyType({})
    itself: str | None = None


class Moment(msgspec.Struct, frozen=True):
    """When a segment is looked at. `today` is the account's day at `now`, by the IANA name `zone`.

    Whoever stores a count or a plan stores all three: with them it can be had again.
    """

    now: datetime
    today: date
    zone: str

    @classmethod
    def at(cls, now: datetime, zone: str) -> Moment:
        """Of an aware `now`. Raises ZoneInfoNotFoundError."""
        return cls(now, now.astimezone(ZoneInfo(zone)).date(), zone)
