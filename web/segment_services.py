"""What the endpoints for segments need: small protocols.

Owns them. Must not import what implements them: gateway/wiring fills them in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from campaigns.segments.desk import MembersChanged, NewSegment, SegmentActor
from campaigns.segments.previews import Preview
from campaigns.segments.shelf import Called, Counted, Member, StoredSegment


class SegmentBook(Protocol):
    """Saved segments. All raise StorageDown, and what changes something Overloaded."""

    def new_id(self) -> int:
        """The id of a segment to be made."""

    async def create(self, actor: SegmentActor, segment_id: int, new: NewSegment) -> StoredSegment:
        """Once it is stored. Raises SegmentRefused, NameTaken, TooManySegments."""

    async def change(
        self, actor: SegmentActor, segment_id: int, version: int, given: Mapping[str, str | None]
    ) -> StoredSegment | None:
        """None: there is none. Raises SegmentRefused, NameTaken, VersionDiffers, InUse,
        WrongKind.
        """

    async def delete(self, actor: SegmentActor, segment_id: int, version: int | None) -> bool:
        """False: there is none. Raises InUse, VersionDiffers."""

    async def change_members(
        self,
        actor: SegmentActor,
        segment_id: int,
        add: Sequence[Called],
        remove: Sequence[Called],
        version: int | None = None,
    ) -> MembersChanged | None:
        """None: there is no such segment. Raises WrongKind, VersionDiffers."""

    async def keep_count(self, segment_id: int, counted: Counted) -> None:
        """Keep what a preview said."""

    async def one(self, account: int, segment_id: int) -> StoredSegment | None:
        """None: there is none."""

    async def listed(
        self, account: int, *, after: int, limit: int, name: str | None = None
    ) -> list[StoredSegment]:
        """The oldest first, above an id."""

    async def members(
        self, account: int, segment_id: int, *, after: int, limit: int
    ) -> list[Member] | None:
        """None: there is no such segment."""


class SegmentCounter(Protocol):
    """How many contacts are in a segment."""

    async def preview(
        self, account: int, source: str, *, sample: int, itself: str | None = None
    ) -> Preview:
        """As of now. Raises SegmentRefused, SegmentTooSlow, Overloaded, StorageDown."""


class SegmentRooms(NamedTuple):
    """What keeps segments, and what counts them."""

    book: SegmentBook
    counter: SegmentCounter
