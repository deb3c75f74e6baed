"""What is wrong with a segment: where, and what was expected there.

Owns these shapes. Must not find a mistake itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from campaigns.segments.limits import MISTAKES_MAX

INVALID = "segment_invalid"
TOO_COMPLEX = "segment_too_complex"


class Mistake(msgspec.Struct, frozen=True):
    """`column` counts characters of the source from 1. `code` is INVALID or TOO_COMPLEX."""

    column: int
    detail: str
    code: str = INVALID

    def __str__(self) -> str:
        return f"column {self.column}: {self.detail}"


class SegmentRefused(Exception):
    """The source is no segment. `mistakes`: one a column, in their order, up to MISTAKES_MAX."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        first: dict[int, Mistake] = {}
        for mistake in mistakes:
            first.setdefault(mistake.column, mistake)
        self.mistakes = tuple(first[column] for column in sorted(first)[:MISTAKES_MAX])
        super().__init__("; ".join(map(str, self.mistakes)))
