"""What can be wrong with a segment.

Owns these kinds; problems.py has them in its table. Must not decide when one is due.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from web.edge.problem_kind import ProblemKind

SEGMENT_KINDS: Mapping[str, ProblemKind] = MappingProxyType(
    {
        "segment_invalid": ProblemKind(
            422, "No segment", "Correct the source; each error has its `column`, from 1."
        ),
        "segment_too_complex": ProblemKind(
            422, "Segment too complex", "Keep to the bound named; make two segments of it."
        ),
        "segment_name_taken": ProblemKind(
            409, "Name taken", "Choose another name, or change the segment that has it."
        ),
        "segment_in_use": ProblemKind(
            409, "Something refers to it", "Change what the detail names first."
        ),
        "segment_wrong_kind": ProblemKind(
            409,
            "Of the other kind",
            "Members belong to a static segment, a source to one that is not; make another one.",
        ),
        "member_invalid": ProblemKind(
            422, "No member", "Name a contact by its id, or as the account calls it."
        ),
        "segments_max": ProblemKind(409, "Too many segments", "Delete one, or change one."),
        "segment_too_slow": ProblemKind(
            503, "Segment too slow", "Ask about fewer events or shorter windows."
        ),
    }
)
