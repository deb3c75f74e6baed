"""Where messages stand, many at once: what the API calls their status, and why.

Owns the reading of outbox, intents and submissions for a set of message ids. Statuses fold as
dlr/status.py says. Writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from dlr.reasons import Reason
from dlr.status import Status, fold
from gateway.control.states import BatchState
from gateway.dispatch.holds import Hold
from storage import sql
from storage.pool import Connection

_SQL = sql.load(__package__)
REASON_BITS = 8  # a part's code in standing.sql: status << REASON_BITS | reason


class Standing(msgspec.Struct, frozen=True, gc=False):
    """One message's status, and the reason of the part that decided it."""

    status: Status
    reason: Reason = Reason.NONE

    @property
    def why(self) -> str | None:
        """The reason's label, None if there is none to give."""
        return self.reason.label if self.reason is not Reason.NONE else None


async def standings(connection: Connection, message_ids: Sequence[int]) -> Mapping[int, Standing]:
    """Message id -> where it stands. An id of which nothing is left is not in it."""
    rows = await connection.fetch(_SQL["standings"], message_ids)
    found: dict[int, Standing] = {}
    for row in rows:
        if row["waiting"]:
            begun = row["in_doubt"] or row["codes"] is not None
            status = waiting_status(row["intended"], row["hold"], row["batch_state"], begun=begun)
            found[row["id"]] = Standing(status)
        elif row["codes"] is not None:
            found[row["id"]] = of_parts(row["codes"], row["parts"])
    return found


def waiting_status(
    intended: bool, hold: int | None, batch_state: int | None, *, begun: bool
) -> Status:
    """Of a message in the outbox; `hold` None when it waits for nothing but its turn. A batch that
    is stopped says so in its own row: those of its messages are not touched. `begun`: a part of it
    was submitted, or may have been, so that it is none that is simply canceled.
    """
    if intended:
        return Status.SENDING
    if batch_state == BatchState.CANCELED and not begun:
        return Status.CANCELED
    if batch_state == BatchState.PAUSED:
        return Status.HELD
    return Status.QUEUED if hold is None else Hold(hold).status


def of_parts(codes: Sequence[int], parts: int) -> Standing:
    """Of a message of so many parts that has left the outbox, from the highest code of each of
    those that have one.
    """
    by_status = {}
    for code in sorted(codes):
        by_status[Status(code >> REASON_BITS)] = Reason(code & (1 << REASON_BITS) - 1)
    status = fold([Status(code >> REASON_BITS) for code in codes], of=parts)
    return Standing(status, by_status.get(status, Reason.NONE))
