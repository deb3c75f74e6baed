"""Rates of 0 and raised rates, seen from the outbox: putting messages back, and letting them go
again.

Owns three steps. The check before the intent puts back what its account or sender may not send. A
lifted stop frees what it held, in batches. A faster rate has its messages asked about again. Must
not know rates: it is told who is stopped and what is faster.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from dispatch.holds import FREED_BY_HAND, Faster, Hold
from dispatch.message import Later, ReadyMessage, StopVerdict
from storage import sql
from storage.pool import Connection

_SQL = sql.load("dispatch")
ROWS_MAX = 500
_FIRST = datetime.fromtimestamp(0, UTC)
PACED = (Hold.ACCOUNT_RATE, Hold.SENDER_RATE, Hold.ROUTE_RATE)


class StopLook:
    """Implements LastLook. `stopped`: (account, sender) -> the stop that holds them, or None."""

    def __init__(self, stopped: Callable[[int, str], Hold | None]) -> None:
        self._stopped = stopped

    def asks(self, messages: Sequence[ReadyMessage]) -> bool:
        senders = {(each.account, each.sender) for each in messages}
        return any(self._stopped(account, sender) is not None for account, sender in senders)

    async def decide(
        self, connection: Connection, messages: Sequence[ReadyMessage]
    ) -> Mapping[int, StopVerdict]:
        verdicts: dict[int, StopVerdict] = {}
        for message in messages:
            hold = self._stopped(message.account, message.sender)
            if hold is not None:
                verdicts[message.id] = Later(None, hold)
        return verdicts


async def lift_stops(connection: Connection, still_stopped: Collection[int] = ()) -> int:
    """Free what any stop holds, except for the accounts `still_stopped`. Returns how many messages.

    What is freed goes at the rates of today. What is still stopped is put back by the next check.
    """
    freed = 0
    while True:
        status = await connection.execute(
            _SQL["outbox_lift_stops"],
            list(PACED), FREED_BY_HAND, ROWS_MAX, Hold.RATE, Hold.ACCOUNT_RATE, list(still_stopped),
        )  # fmt: skip
        count = int(status.split()[-1])
        freed += count
        if count < ROWS_MAX:
            return freed


async def hasten(
    connection: Connection, connectors: Iterable[int], faster: Collection[Faster]
) -> int:
    """Have messages asked about again at once whose limit is faster now, or gone. Returns how many.

    They are taken in the order of their moments. What still has to wait gets a moment of today's
    rates.
    """
    holds = list({int(hold) for hold, _ in faster})
    hastened = 0
    for connector in connectors if holds else ():
        at: tuple[datetime, int] = (_FIRST, 0)
        while found := await connection.fetch(
            _SQL["outbox_put_off"], connector, *at, FREED_BY_HAND, holds, ROWS_MAX
        ):
            at = found[-1]["not_before"], found[-1]["id"]
            ids = [
                row["id"]
                for row in found
                if (row["hold"], row["account"]) in faster or (row["hold"], None) in faster
            ]
            if ids:
                await connection.execute(_SQL["outbox_hasten"], ids, holds, Hold.RATE)
                hastened += len(ids)
    return hastened
