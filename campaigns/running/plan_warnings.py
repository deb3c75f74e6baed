"""What a plan warns of: it may be started all the same.

Owns that shape. Must not find anything. Pure.
"""

from __future__ import annotations

import msgspec


class PlanWarning(msgspec.Struct, frozen=True):
    """`pointer`: which part of the campaign it is about."""

    code: str
    detail: str
    pointer: str
