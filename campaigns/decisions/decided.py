"""What was decided about the people behind the test of an experiment. It is decided once.

Owns that shape, and what each way of deciding has them get. Must not decide, nor store. Pure.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from campaigns.experiments.winner import CONTROL, Fallback
from campaigns.running.phases import NOBODY, Row


class How(StrEnum):
    """By what it was decided."""

    WON = "won"  # an arm was shown to be better
    FALLBACK = "fallback"  # the time was over before
    BY_HAND = "by_hand"
    EDITED = "edited"  # the text of an arm was changed, so nothing can be shown any more


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """`arm`: whose text they get, or NOBODY; None: each that of the own arm.

    `by`: such as "key 7". `why`: what a person gave as the reason.
    """

    at: datetime
    how: How
    arm: int | None
    by: str
    why: str | None = None

    @classmethod
    def of(cls, row: Row) -> Decided | None:
        """Of a row of `campaign`; None: it is not decided."""
        if row["decided_at"] is None:
            return None
        return cls(
            at=row["decided_at"],
            how=How(row["decided"]),
            arm=row["decided_arm"],
            by=row["decided_by"],
            why=row["decided_why"],
        )


def arm_of(fallback: Fallback) -> int | None:
    """What they get where no difference was shown in time, as `Decided.arm` has it."""
    return {Fallback.CONTROL: CONTROL, Fallback.SPLIT: None, Fallback.STOP: NOBODY}[fallback]
