"""Which receipts prove that a number is dead.

Owns that decision, and the suppression entry it leads to. Must not look at counts or history: one
definite code is proof, any number of doubtful ones is not (`dlr/codes.py`). Pure: the caller writes
the entry, in the transaction that stores the receipt.

Texting a dead number costs a fee. Dropping a living customer costs the customer.
"""

from __future__ import annotations

from dlr.codes import CodesOfConnectors
from dlr.ledger import AppliedReceipt
from dlr.receipt_rows import ReceiptRow
from storage.suppression import EVERY_ACCOUNT, EVERY_CATEGORY, Suppression

SOURCE = "receipt"


def may_prune(receipt: ReceiptRow, codes: CodesOfConnectors) -> bool:
    """Whether this receipt would be proof, once applied. Never if its word for the state is
    unknown.
    """
    return receipt.unknown_state is None and codes.of(receipt.connector).proves_dead(
        receipt.status, receipt.error
    )


def prunes(receipt: AppliedReceipt, codes: CodesOfConnectors) -> bool:
    """Whether this receipt is proof: it was matched to a message of ours and decided its status.

    One that changed nothing is no proof. A duplicate has been counted. One that ranks below what is
    known contradicts it, such as `undelivered` after `delivered`.
    """
    return receipt.matched and receipt.changed and may_prune(receipt.row, codes)


def suppression_of(
    receipt: AppliedReceipt, to_idx: bytes, to_enc: bytes | None = None
) -> Suppression:
    """The entry for the number (16-byte index, encrypted) of a receipt that `prunes`: for every
    account and category.
    """
    return Suppression(
        to_idx=to_idx,
        reason=receipt.row.reason,
        source=SOURCE,
        account=EVERY_ACCOUNT,
        category=EVERY_CATEGORY,
        message_id=receipt.message_id,
        detail=f"carrier code {receipt.error}" if receipt.error else None,
        to_enc=to_enc,
    )
