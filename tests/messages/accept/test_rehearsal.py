"""The rehearsal of accept's checks: their verdicts, and nothing written."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import asyncpg
import pytest

from dispatch.holds import Hold
from dlr.reasons import Reason
from messages.accept.rehearsal import PolicyDecision, Rehearsal
from messages.accepting import Accepting
from messages.rules.suppression import SuppressionCheck
from storage.pool import Connection
from storage.suppression import Suppression, add
from tests.messages.accept.world import VAULT, accepting, prepared

UNTIL = datetime(2026, 11, 22, 8, tzinfo=UTC)


class Every:
    """A check that every message concerns."""

    def concerns(self, item: Accepting) -> bool:
        return True


class QuietUntil(Every):
    """Holds it."""

    async def decide(self, connection: Connection, items: Sequence[Accepting]) -> None:
        for item in items:
            item.not_before, item.hold = UNTIL, Hold.QUIET_HOURS


class Writing(Every):
    """Writes, which a rehearsal must not let pass."""

    async def decide(self, connection: Connection, items: Sequence[Accepting]) -> None:
        await connection.execute("DELETE FROM suppression")


async def test_checks_say_what_they_would_decide_and_write_nothing(database_url: str) -> None:
    async with accepting(database_url) as world:
        entry = Suppression(VAULT.index(prepared(1).to), Reason.OPTED_OUT, "test")
        await add(world.connection, [entry])
        rehearsal = Rehearsal(
            world.database.read, VAULT, lambda: (SuppressionCheck(), QuietUntil())
        )
        assert await rehearsal.decisions([prepared(1), prepared(2)]) == [
            [PolicyDecision("suppression", "suppressed", "opted_out")],
            [PolicyDecision("quiet_hours", "held", until=UNTIL)],
        ]
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await Rehearsal(world.database.read, VAULT, lambda: (Writing(),)).decisions(
                [prepared(1)]
            )
        assert await world.count("message") == await world.count("outbox") == 0
        assert await world.count("suppression") == 1
