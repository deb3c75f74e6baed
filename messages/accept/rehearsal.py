"""A preview: what would become of messages if they were sent now, with nothing stored.

Owns that preview. Must not have rules of its own, or it would promise something else than accept
does. The accepter's checks themselves run, on messages without ids, in a read-only transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import asyncpg
import msgspec

from dispatch.holds import Hold
from dlr.reasons import Reason
from messages.accepting import NO_ID, Accepting, FlushCheck
from messages.models import Prepared
from messages.words import ReasonName, StatusName
from storage.crypto import NumberVault
from storage.reading import reading


class PolicyDecision(msgspec.Struct, omit_defaults=True):
    """What a rule would do with a message.

    `status` is what the message would have: `held` or `scheduled` until a moment, or an end such as
    `capped`.
    """

    rule: str
    status: StatusName
    reason: ReasonName | None = None
    until: datetime | None = None


class Rehearsal:
    """Asks the accepter's own checks, and stores nothing of what they say."""

    def __init__(
        self,
        pool: asyncpg.Pool[asyncpg.Record],
        vault: NumberVault,
        checks: Callable[[], Sequence[FlushCheck]],
    ) -> None:
        self._pool = pool
        self._vault = vault
        self._checks = checks

    async def decisions(self, items: Sequence[Prepared]) -> list[list[PolicyDecision]]:
        rehearsed = [
            Accepting(
                NO_ID,
                item,
                b"",
                self._vault.index(item.to),
                None,
                item.text,
                None,
                old_idx=self._vault.old_indexes(item.to),
            )
            for item in items
        ]
        async with reading(self._pool) as connection, connection.transaction(readonly=True):
            for check in self._checks():
                going = [item for item in rehearsed if item.ended is None]
                if going:
                    await check.decide(connection, going)
        return [_decisions(item) for item in rehearsed]


def _decisions(item: Accepting) -> list[PolicyDecision]:
    """What the checks decided, with an end last."""
    found: list[PolicyDecision] = []
    if item.hold is not Hold.NONE:
        found.append(PolicyDecision(item.hold.rule, item.hold.status.label, until=item.not_before))
    if item.ended is not None:
        ended = item.ended
        reason = None if ended.reason is Reason.NONE else ended.reason.label
        found.append(PolicyDecision(ended.rule, ended.status.label, reason))
    return found
