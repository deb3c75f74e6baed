"""How large a segment may be, so that asking for it stays affordable.

Owns these bounds. Must not read or run anything. What is referred to counts as if it stood there.
"""

from __future__ import annotations

SOURCE_CHARACTERS_MAX = 4_000
DEPTH_MAX = 16  # parentheses and `not` in each other
NODES_MAX = 200  # predicates, and each `and`, `or` and `not` of them
LIST_VALUES_MAX = 1_000  # in all lists together
EVENT_PREDICATES_MAX = 8
REFERENCES_DEEP_MAX = 5
MISTAKES_MAX = 50  # that are told at once
WINDOW_DAYS_MAX = 3_650
STATEMENT_SECONDS_MAX = 30
