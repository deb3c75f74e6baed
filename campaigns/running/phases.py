"""The phases of a plan: its canary, the test of an experiment, and the remainder that waits for it.

Owns up to where a campaign may be fed, from when slots count, and who gets nothing any more. Must
not decide an experiment (campaigns/decisions), nor take anybody. Pure.

Recipients are in the order of their phases. So a phase is a range of `seq`, and no row of a
recipient is changed when the remainder is let go.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Protocol

import msgspec

NOBODY: Final = -1
"""In place of an arm: the remainder gets nothing."""


class Row(Protocol):
    """A row of `campaign`."""

    def __getitem__(self, name: str, /) -> Any:
        """A column."""


class Phases(msgspec.Struct, frozen=True, kw_only=True):
    """Of one campaign. `test_end` None: it has no experiment. `decided_at` None: it is undecided.

    `decided_arm`: whose text the remainder gets, or NOBODY; None: each that of its own arm.
    """

    canary: int
    planned: int
    started_at: datetime
    test_end: int | None = None
    decided_at: datetime | None = None
    decided_arm: int | None = None

    @classmethod
    def of(cls, row: Row) -> Phases:
        """Those of one that has begun."""
        return cls(**{name: row[name] for name in cls.__struct_fields__})

    def end(self, seq: int, *, in_canary: bool) -> int:
        """Up to which recipient (not with) one may be fed whose next one is `seq`.

        It is never behind the end of a phase: a chunk lies in one.
        """
        if in_canary:
            return self.canary
        if self.test_end is None:
            return self.planned
        if self.decided_at is None or seq < self.test_end:
            return self.test_end
        return self.planned

    def begun(self, seq: int) -> datetime:
        """The moment that the slot of recipient `seq` is counted from."""
        if self.decided_at is not None and self._waited(seq):
            return self.decided_at
        return self.started_at

    def stopped(self, seq: int) -> bool:
        """Whether this recipient gets nothing, by what was decided."""
        return self.decided_arm == NOBODY and self._waited(seq)

    def arm_sent(self, seq: int, arm: int) -> int | None:
        """Whose text a recipient gets who is planned in `arm`; None: nothing, now or ever.

        chunks.sql says the same in SQL.
        """
        if not self._waited(seq):
            return arm
        if self.decided_at is None or self.decided_arm == NOBODY:
            return None
        return arm if self.decided_arm is None else self.decided_arm

    def _waited(self, seq: int) -> bool:
        return self.test_end is not None and seq >= self.test_end
