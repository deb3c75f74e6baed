"""Owns what an account can do with segments, for code that blocks.

Must not know a path or a shape of JSON: see calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from smsgate_client import calls
from smsgate_client import segments as s
from smsgate_client.blocking import Noun
from smsgate_client.calls import under

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Unpack

    from smsgate_client import filters as f


class Segments(Noun):
    """Which contacts are meant."""

    def create(self, segment: s.NewSegment, *, idempotency_key: str | None = None) -> s.Segment:
        """Save one. Repeated, also by you with the same key, it is one."""
        return self._client.run(calls.new_segment(segment, idempotency_key))

    def list(self, **which: Unpack[f.SegmentFilter]) -> Iterator[s.Segment]:
        """Those that fit, the oldest first."""
        return self._client.each(calls.listed(under("segments"), s.Segment, **which))

    def presets(self) -> Iterator[s.SegmentPreset]:
        """Segments to begin with."""
        return self._client.each(calls.listed(under("segments", "presets"), s.SegmentPreset))

    def get(self, segment_id: str) -> s.Segment:
        """One as it stands; raises NotFound."""
        return self._client.run(calls.get(under("segments", segment_id), s.Segment))

    def change(
        self, segment_id: str, version: int, **changes: Unpack[s.SegmentChanges]
    ) -> s.Segment:
        """Change what is given of the version that you have seen."""
        return self._client.run(calls.change_segment(segment_id, version, changes))

    def delete(self, segment_id: str, *, version: int | None = None) -> None:
        """End it, with its members; only as this version, if you give one."""
        return self._client.run(calls.end(under("segments", segment_id), version))

    def preview(self, source: str, *, sample: int = 10) -> s.SegmentPreview:
        """Count an expression, and keep nothing."""
        return self._client.run(calls.preview_segment(source, sample))

    def count(self, segment_id: str, *, sample: int = 10) -> s.SegmentPreview:
        """Count a saved one; what was counted is kept with it."""
        return self._client.run(calls.count_segment(segment_id, sample))

    def members(self, segment_id: str, **which: Unpack[f.Pages]) -> Iterator[s.SegmentMember]:
        """Who is in a static one."""
        members = under("segments", segment_id, "members")
        return self._client.each(calls.listed(members, s.SegmentMember, **which))

    def change_members(
        self,
        segment_id: str,
        *,
        add: Sequence[s.MemberName] = (),
        remove: Sequence[s.MemberName] = (),
    ) -> s.ChangedMembers:
        """Add to a static one, and remove. Who is not known is told, and stops nobody else."""
        return self._client.run(calls.change_members(segment_id, add, remove))
