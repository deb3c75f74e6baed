"""Receipts with an unknown state, put on the timelines of their messages as they are stored.

Owns that event. Must not decide what is unknown (dlr/receipt.py does) nor write the table itself
(storage does).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dlr.ledger import AppliedReceipt
from storage import events
from storage.events import Event
from storage.ids import IdSource
from storage.pool import Connection

UNKNOWN_STATE: Final = "receipt_unknown_state"


async def tell_unknown_states(
    connection: Connection, applied: Sequence[AppliedReceipt], ids: IdSource
) -> None:
    """Store the events. A repeated receipt gives no second event."""
    told = [
        Event(ids.next(), receipt.message_id, UNKNOWN_STATE, _detail(receipt))
        for receipt in applied
        if receipt.row.unknown_state is not None and receipt.message_id is not None
    ]
    await events.append_new(connection, told)


def _detail(receipt: AppliedReceipt) -> dict[str, object]:
    detail: dict[str, object] = {
        "part": receipt.part,
        "connector": receipt.row.connector,
        "state": receipt.row.unknown_state,
        "status": receipt.status.label,
    }
    if receipt.error:
        detail["carrier_code"] = receipt.error
    return detail
