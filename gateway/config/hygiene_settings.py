"""When numbers are given up without anybody's asking.

Owns the section `[hygiene]`. Must not know who uses a setting.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from gateway.config.base import Settings


class HygieneSettings(Settings, frozen=True, kw_only=True):
    """Numbers that carriers say are dead are suppressed at once. Now and then all evidence is gone
    through once more, as `smsgate numbers prune` does.
    """

    prune_hours: Annotated[
        int, Meta(ge=0, le=8_760, description="Hours from one walk to the next; 0: never.")
    ] = 24
    prune_below: Annotated[
        float,
        Meta(
            ge=0,
            le=0.75,
            description="Numbers with a lower validity are given up, if a proof or ambiguous codes "
            "on three days stand against them.",
        ),
    ] = 0.35
