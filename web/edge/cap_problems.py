"""What can be wrong with a cap of a group.

Owns these kinds; campaign_problems.py hands them on. Must not decide when one is due.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from web.edge.problem_kind import ProblemKind

CAP_KINDS: Mapping[str, ProblemKind] = MappingProxyType(
    {
        "cap_invalid": ProblemKind(
            422, "No cap", "Name a tag or a segment, and at least one of day, week and month."
        ),
        "group_unknown": ProblemKind(
            422, "Unknown group", "Name a tag that contacts have, or a saved segment."
        ),
        "group_capped": ProblemKind(409, "The group has a cap", "Change the cap that is there."),
        "caps_max": ProblemKind(409, "Too many caps", "Delete one, or change one."),
    }
)
