"""What a kind of problem is.

Owns that shape. Must not list the kinds (problems.py).
"""

from __future__ import annotations

import msgspec


class ProblemKind(msgspec.Struct, frozen=True):
    """`remedy` is what the client can do."""

    status: int
    title: str
    remedy: str
    type: str | None = None  # a registered type; else the line of this table
