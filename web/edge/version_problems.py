"""What can be wrong with a change of something that has versions.

Owns these kinds; problems.py has them in its table. Must not decide when one is due (if_match.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from web.edge.problem_kind import ProblemKind

VERSION_KINDS: Mapping[str, ProblemKind] = MappingProxyType(
    {
        "version_conflict": ProblemKind(
            412, "Changed meanwhile", "Ask for it again, and say in If-Match what you have seen."
        ),
        "if_match_missing": ProblemKind(
            428, "If-Match missing", 'Say which version is to be changed: `If-Match: "3"`.'
        ),
    }
)
