"""Raw octets of parked receipts: those that fit no submit are known only once they are stored.

Owns the choice of which are kept then. Must not store them (dispatch/raw/rows.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from dispatch.answers.records import ReceiptArrived, Record
from dispatch.raw.kept import Kept
from dispatch.raw.unclear import Unclear
from dlr.ledger import AppliedReceipt


def kept_of_parked(records: Sequence[Record], applied: Sequence[AppliedReceipt]) -> list[Kept]:
    """Each under the id of its parked row. One that is kept anyway is only marked."""
    parked = {id(each.row): each.row for each in applied if not each.matched}
    kept: list[Kept] = []
    if not parked:
        return kept
    for record in records:
        if not isinstance(record, ReceiptArrived) or not record.keep_parked:
            continue
        row = parked.get(id(record.row))
        if row is None or row.parked_id is None:
            continue
        if record.kept is not None:
            record.kept.unclear = record.kept.unclear or Unclear.PARKED
        else:
            pdu = record.delivery.pdu
            kept.append(Kept(row.parked_id, row.connector, True, Unclear.PARKED, pdu))
    return kept
