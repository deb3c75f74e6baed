"""Owns segments: what is asked for, and what is answered. Must not ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import date, datetime
from typing import TypedDict

from smsgate_client.words import Word


class SegmentKind(Word):
    """Whether a segment is an expression, or a list of members."""

    DYNAMIC = "dynamic"
    STATIC = "static"


@dataclass(frozen=True)
class NewSegment:
    """A segment by its expression; without `source` a static one, whose members you name."""

    name: str
    source: str | None = None
    _: KW_ONLY
    note: str | None = None


class SegmentChanges(TypedDict, total=False):
    """What is to be different; what is not given stays."""

    name: str
    source: str
    note: str | None


@dataclass(frozen=True, kw_only=True)
class SegmentCount:
    """What the last preview of a segment said, of which version."""

    version: int
    contacts: int
    inside: int
    now: datetime
    today: date
    zone: str


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A segment as it stands. Give its `version` with a change."""

    id: str
    name: str
    kind: SegmentKind
    source: str | None
    refers_to: tuple[str, ...]
    note: str | None
    version: int
    counted: SegmentCount | None
    created_at: datetime
    changed_at: datetime
    object: str = "segment"


@dataclass(frozen=True, kw_only=True)
class SampledContact:
    """A contact of a segment, `to` masked. Personal attributes are left out."""

    contact: str
    external_id: str | None
    to: str | None
    attributes: Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class LackingValue:
    """Something that the segment asks about, and how many contacts do not have it."""

    value: str
    contacts: int


@dataclass(frozen=True, kw_only=True)
class SegmentPreview:
    """How many contacts are in a segment, as of `now`."""

    source: str
    contacts: int
    inside: int
    sample: tuple[SampledContact, ...]
    lacking: tuple[LackingValue, ...]
    now: datetime
    today: date
    zone: str
    object: str = "segment_preview"


@dataclass(frozen=True, kw_only=True)
class PreviewWish:
    """An expression, and how many contacts are to be shown."""

    source: str
    sample: int = 10


@dataclass(frozen=True, kw_only=True)
class SampleWish:
    """How many contacts of a segment are to be shown."""

    sample: int = 10


@dataclass(frozen=True, kw_only=True)
class MemberName:
    """A contact, by its id or as you call it: one of the two."""

    contact: str | None = None
    external_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class MemberChanges:
    """Who comes into a static segment and who leaves it, up to 10 000 in all."""

    add: Sequence[MemberName] = ()
    remove: Sequence[MemberName] = ()


@dataclass(frozen=True, kw_only=True)
class ChangedMembers:
    """How many came in and left. `unknown`: pointers to those that are not known."""

    added: int
    removed: int
    unknown: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SegmentMember:
    """A contact that is in a static segment."""

    contact: str
    external_id: str | None


@dataclass(frozen=True, kw_only=True)
class SegmentPreset:
    """An expression to begin with, and what you must have for it."""

    name: str
    label: str
    source: str
    attributes: Mapping[str, str]
    segments: tuple[str, ...]
    events: tuple[str, ...]
