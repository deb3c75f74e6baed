"""The status of many messages at once: what the API calls it, and why.

Owns the reading of outbox, intents and submissions for a set of message ids. Must not write. Parts
fold into a message as dlr/status.py says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import asyncpg
import msgspec

from dispatch.holds import Hold
from dlr.reasons import Reason
from dlr.status import Status, fold
from messages.batch_states import BatchState
from storage import sql
from storage.codecs import LATEST
from storage.pool import Connection

_SQL = sql.load("messages")
REASON_BITS = 8  # a part's code in standing.sql: status << REASON_BITS | reason


class Standing(msgspec.Struct, frozen=True, gc=False):
    """One message's status, and the reason of the part that decided it.

    While it waits: the rule that holds it, and until when unless somebody has to free it.
    """

    status: Status
    reason: Reason = Reason.NONE
    hold: Hold | None = None
    until: datetime | None = None

    @property
    def why(self) -> str | None:
        """What the API calls the reason, None if there is none to give."""
        if self.hold is not None:
            return self.hold.rule
        return self.reason.label if self.reason is not Reason.NONE else None


async def standings(connection: Connection, message_ids: Sequence[int]) -> Mapping[int, Standing]:
    """Message id -> its status. An id of which nothing is left is not in it."""
    rows = await connection.fetch(_SQL["standings"], message_ids)
    found: dict[int, Standing] = {}
    for row in rows:
        if row["waiting"]:
            begun = row["in_doubt"] or row["begun"]
            found[row["id"]] = waiting(row, begun=begun)
        elif row["codes"] is not None:
            found[row["id"]] = of_parts(row["codes"], row["parts"])
    return found


def waiting(row: asyncpg.Record, *, begun: bool) -> Standing:
    """The status of a message in the outbox, by `intended`, `hold`, `not_before` and `batch_state`.

    `hold` None: it waits for nothing but its turn. A stopped batch says so in its own row only.
    `begun`: a part was submitted or may have been, so the message is not simply canceled.
    """
    if row["intended"]:
        return Standing(Status.SENDING)
    if row["batch_state"] == BatchState.CANCELED and not begun:
        return Standing(Status.CANCELED)
    if row["batch_state"] == BatchState.PAUSED:
        return Standing(Status.HELD, hold=Hold.PAUSED)
    return of_hold(Hold.NONE if row["hold"] is None else Hold(row["hold"]), row["not_before"])


def of_hold(hold: Hold, not_before: datetime | None) -> Standing:
    """The status of a message that waits by this rule until then.

    Messages that wait for a rate or a retry are queued, and have no reason.
    """
    if hold.status is Status.QUEUED:
        return Standing(Status.QUEUED)
    # What is freed by hand stands at the last moment there is.
    return Standing(hold.status, hold=hold, until=None if not_before == LATEST else not_before)


def code_of(status: Status, reason: Reason) -> int:
    """A part's status and reason in one number that orders as they do."""
    return status << REASON_BITS | reason


def of_parts(codes: Sequence[int], parts: int) -> Standing:
    """The status of a message that has left the outbox.

    It has so many parts, and these are the highest codes of those that have one.
    """
    by_status = {}
    for code in sorted(codes):
        by_status[Status(code >> REASON_BITS)] = Reason(code & (1 << REASON_BITS) - 1)
    status = fold([Status(code >> REASON_BITS) for code in codes], of=parts)
    return Standing(status, by_status.get(status, Reason.NONE))
