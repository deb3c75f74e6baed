"""Which messages of a merge have ended, handed to who keeps track of their recipients.

Owns what is handed over: messages that were delivered, and those that failed in a way that another
would, too. A message that is counted again is handed over again. Must not know who asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from dlr.reasons import REASONS
from dlr.status import Status
from storage import sql
from storage.pool import Connection

_SQL = sql.load("dlr")
_FAILED = [Status.REJECTED, Status.UNDELIVERED, Status.FAILED]
_FOR_GOOD = [reason for reason, info in REASONS.items() if info.permanent]


class Outcomes(Protocol):
    """Wants to know of messages as they are counted. Called in the transaction of a merge."""

    async def accounts(self, connection: Connection) -> Sequence[int]:
        """Whose messages; empty: nobody's."""

    async def ended(
        self, connection: Connection, delivered: Sequence[int], failed: Sequence[int]
    ) -> None:
        """These did, as of this merge. Some of them are told again."""


async def hand_over(connection: Connection, outcomes: Outcomes) -> None:
    """What was just folded."""
    accounts = await outcomes.accounts(connection)
    if not accounts:
        return
    row = await connection.fetchrow(_SQL["rollup_outcomes"], accounts, _FAILED, _FOR_GOOD)
    assert row is not None  # an aggregate
    await outcomes.ended(connection, row["delivered"], row["failed"])
