"""Deliveries end what hygiene suppressed.

Owns that step, off the way of receipts: it looks at the entries of the last days, again and again.
A suppressed number is texted no more. So what arrives was on its way when the entry was made. Must
not touch an opt-out: only entries whose source is hygiene are looked at.

Killed anywhere, nothing is lost. The delivery is still stored, and the entry still there.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from dlr.hygiene.evidence import ON_THEIR_WAY
from dlr.hygiene.waiting import waiting
from dlr.ledger import MATCH_DAYS
from dlr.status import Status
from storage import sql, suppression
from storage.ids import id_at
from storage.pool import Connection

_SQL = sql.load("dlr")
ENTRIES_PER_TURN = 500
LOOKED_AT = timedelta(days=2 * MATCH_DAYS)  # a receipt comes within MATCH_DAYS of its submit


class Lifting:
    """The step of this process. `lifted` is counted since start.

    `waiting`: proofs that wait for a person, as of the last turn.
    """

    def __init__(self) -> None:
        self._place: tuple[datetime, bytes] | None = None
        self.lifted = 0
        self.waiting = 0

    async def turn(self, connection: Connection, now: datetime) -> None:
        """Look at the next entries; behind the last one, begin anew at the next turn."""
        since = now - LOOKED_AT
        async with connection.transaction():
            rows = await connection.fetch(
                _SQL["hygiene_delivered"],
                since,
                *(self._place or (since, b"")),
                ENTRIES_PER_TURN,
                id_at(since - ON_THEIR_WAY),
                int(Status.DELIVERED),
            )
            alive = {row["to_idx"] for row in rows if row["delivered_at"] is not None}
            lifted = await suppression.lift(connection, alive)
        self.lifted += lifted
        self.waiting = sum(each.proofs for each in await waiting(connection))
        more = len(rows) == ENTRIES_PER_TURN
        self._place = (rows[-1]["created_at"], rows[-1]["to_idx"]) if more else None
