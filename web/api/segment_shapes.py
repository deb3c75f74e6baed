"""Segments as a client writes and sees them.

Owns these shapes and how the language's mistakes become faults of a field. Must not store or ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from campaigns.segments.desk import PREFIX
from campaigns.segments.limits import SOURCE_CHARACTERS_MAX
from campaigns.segments.mistakes import SegmentRefused
from campaigns.segments.previews import Preview
from campaigns.segments.shelf import StoredSegment
from messages.models import FieldError
from storage.ids import format_id

CONTACT = "con"
SAMPLE_MAX = 100
SAMPLE_DEFAULT = 10
MEMBERS_MAX = 10_000  # of one request
Kind = Literal["dynamic", "static"]

_Name = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=100,
        pattern=r"\A[^\x00-\x1f\x7f-\x9f]+\Z",
        description='Other segments refer to it by this: `segment("…")`.',
    ),
]
_Source = Annotated[
    str,
    Meta(
        description=f"An expression of at most {SOURCE_CHARACTERS_MAX} characters: "
        '`city = "北京" and days_since(login) >= 90`.'
    ),
]
_Note = Annotated[
    str,
    Meta(max_length=500, pattern=r"\A[^\x00]*\Z", description="What it is for."),
]
_Sample = Annotated[
    int, Meta(ge=0, le=SAMPLE_MAX, description="How many contacts are to be shown.")
]


class SegmentRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A new segment. Without `source` it is static, and its members are named."""

    name: _Name
    source: _Source | None = None
    note: _Note | None = None


class SegmentPatch(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is to change."""

    name: _Name | UnsetType = UNSET
    source: _Source | UnsetType = UNSET
    note: _Note | UnsetType | None = UNSET


class PreviewRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An expression to be counted."""

    source: _Source
    sample: _Sample = SAMPLE_DEFAULT


class SavedPreviewRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How a segment is to be counted."""

    sample: _Sample = SAMPLE_DEFAULT


class MemberName(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A contact: one of the two."""

    contact: Annotated[str | None, Meta(description="Its id.")] = None
    external_id: Annotated[
        Annotated[str, Meta(pattern=r"\A[^\x00]*\Z")] | None,
        Meta(description="As the account calls it."),
    ] = None


_Members = Annotated[list[MemberName], Meta(max_length=MEMBERS_MAX)]


class MembersRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Who comes in and who leaves, up to 10 000 in all."""

    add: _Members = []
    remove: _Members = []


class CountResource(msgspec.Struct, kw_only=True):
    """What the last preview of a segment said, of which version."""

    version: int
    contacts: int
    inside: int
    now: datetime
    today: date
    zone: str


class SegmentResource(msgspec.Struct, kw_only=True):
    """A segment as it stands."""

    id: str
    object: str = "segment"
    name: str
    kind: Kind
    source: Annotated[str | None, Meta(description="null: static.")]
    refers_to: Annotated[tuple[str, ...], Meta(description="Other segments, by name.")]
    note: str | None
    version: Annotated[int, Meta(description="One more for each change; the ETag.")]
    counted: Annotated[CountResource | None, Meta(description="null: not counted yet.")]
    created_at: datetime
    changed_at: datetime


class SegmentPage(msgspec.Struct):
    """A page of segments, the oldest first."""

    data: list[SegmentResource]
    next_cursor: str | None


class SampledContact(msgspec.Struct, kw_only=True):
    """A contact of a segment. Attributes that are personal are left out."""

    contact: str
    external_id: str | None
    to: Annotated[str | None, Meta(description="Masked; null: it has no number.")]
    attributes: Mapping[str, object]


class LackingValue(msgspec.Struct, kw_only=True):
    """Something that the segment asks about, and how many contacts do not have it."""

    value: str
    contacts: int


class PreviewResource(msgspec.Struct, kw_only=True):
    """How many contacts are in a segment, as of `now`. `today` is the account's day."""

    object: str = "segment_preview"
    source: str
    contacts: Annotated[int, Meta(description="All of the account.")]
    inside: int
    sample: list[SampledContact]
    lacking: list[LackingValue]
    now: datetime
    today: date
    zone: str


class MemberResource(msgspec.Struct, kw_only=True):
    """A contact that is in a static segment."""

    contact: str
    external_id: str | None


class MemberPage(msgspec.Struct):
    """A page of members, by their ids."""

    data: list[MemberResource]
    next_cursor: str | None


class MembersAnswer(msgspec.Struct, kw_only=True):
    """How many came in and left, and whom the account does not know."""

    added: int
    removed: int
    unknown: list[Annotated[str, Meta(description="A pointer into the request.")]]


class PresetResource(msgspec.Struct, kw_only=True):
    """An expression to begin with, and what the account must have for it."""

    name: str
    label: str
    source: str
    attributes: Mapping[str, str]
    segments: tuple[str, ...]
    events: tuple[str, ...]


class PresetList(msgspec.Struct):
    """All presets."""

    data: list[PresetResource]


def faults_of(refused: SegmentRefused) -> list[FieldError]:
    """Each mistake with its place in the source."""
    return [
        FieldError(each.code, str(each), "/source", column=each.column) for each in refused.mistakes
    ]


def resource(segment: StoredSegment) -> SegmentResource:
    """As it is shown."""
    counted = segment.counted
    return SegmentResource(
        id=format_id(PREFIX, segment.id),
        name=segment.name,
        kind="static" if segment.source is None else "dynamic",
        source=segment.source,
        refers_to=segment.refers_to,
        note=segment.note,
        version=segment.version,
        counted=None
        if counted is None
        else CountResource(
            version=counted.version,
            contacts=counted.contacts,
            inside=counted.inside,
            now=counted.now,
            today=counted.today,
            zone=counted.zone,
        ),
        created_at=segment.made_at,
        changed_at=segment.changed_at,
    )


def preview_resource(source: str, found: Preview) -> PreviewResource:
    """As it is shown."""
    sample = [
        SampledContact(
            contact=format_id(CONTACT, each.contact),
            external_id=each.external_id,
            to=each.to,
            attributes=each.attributes,
        )
        for each in found.sample
    ]
    return PreviewResource(
        source=source,
        contacts=found.contacts,
        inside=found.inside,
        sample=sample,
        lacking=[LackingValue(value=name, contacts=n) for name, n in found.lacking.items()],
        now=found.moment.now,
        today=found.moment.today,
        zone=found.moment.zone,
    )
