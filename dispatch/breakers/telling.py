"""What webhooks are told of a breaker: that it opened, and that it closed.

Owns those events' data. Must not store a breaker. A half-open one is told as neither: it still
holds.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from dispatch.breakers.machine import Breaker
from dispatch.breakers.scopes import Target
from dlr.webhooks.changes import happened, tell
from dlr.webhooks.events import moment
from storage.ids import IdSource, time_of
from storage.pool import Connection

OPENED: Final = "breaker.opened"
CLOSED: Final = "breaker.closed"
EVERY_ACCOUNT: Final = 0


async def tell_change(
    connection: Connection,
    target: Target,
    before: Breaker,
    after: Breaker,
    reason: str,
    ids: IdSource,
) -> None:
    """In the transaction of the change. Of a connector every account hears that asks; of the rest
    its own.
    """
    if before.state.holds is after.state.holds:
        return
    at = time_of(ids.next())
    data = {
        "scope": str(target.scope),
        "subject": target.subject,
        "state": after.state.label,
        "reason": reason,
        "until": None if after.until is None else moment(_at(after.until)),
    }
    kind = OPENED if after.state.holds else CLOSED
    account = EVERY_ACCOUNT if target.account is None else target.account
    await tell(connection, [happened(kind, account, at, data)], ids)


def _at(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
