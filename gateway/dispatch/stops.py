"""What waited while its account or sender was stopped by a rate of 0, and the way back.

Owns the last look that puts such messages back, and the freeing of everything a stop holds once
stops were lifted. Must not know rates: it is told who is stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gateway.dispatch.holds import Hold
from gateway.dispatch.message import Later, ReadyMessage, StopVerdict
from gateway.dispatch.outcomes import FREED_BY_HAND
from storage import sql
from storage.pool import Connection

_SQL = sql.load(__package__)
ROWS_MAX = 500
PACED = (Hold.ACCOUNT_RATE, Hold.SENDER_RATE, Hold.ROUTE_RATE)


class StopLook:
    """Implements LastLook. `stopped` is asked for (account, sender)."""

    def __init__(self, stopped: Callable[[int, str], Hold | None]) -> None:
        self._stopped = stopped

    async def decide(
        self, connection: Connection, messages: Sequence[ReadyMessage]
    ) -> Mapping[int, StopVerdict]:
        verdicts: dict[int, StopVerdict] = {}
        for message in messages:
            hold = self._stopped(message.account, message.sender)
            if hold is not None:
                verdicts[message.id] = Later(None, hold)
        return verdicts


async def lift_stops(connection: Connection) -> int:
    """Free what any stop holds, in batches: it goes at the rates of today, and what is still
    stopped is put back.
    """
    freed = 0
    while True:
        status = await connection.execute(
            _SQL["outbox_lift_stops"], list(PACED), FREED_BY_HAND, ROWS_MAX, Hold.RATE
        )
        count = int(status.split()[-1])
        freed += count
        if count < ROWS_MAX:
            return freed
