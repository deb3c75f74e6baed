"""Which receipts are proof that a number is dead.

Owns that decision and the suppression entry it leads to. Pure: the caller writes the entry, in the
transaction that stores the receipt. Must not look at counts or history: one definite code is proof,
any number of doubtful ones is not (`dlr/codes.py` says which is which). Texting a dead number costs
a fee, dropping a living customer costs the customer.
"""

from __future__ import annotations

from dlr.codes import CodesOfConnectors
from dlr.ledger import AppliedReceipt
from dlr.receipt_rows import ReceiptRow
from storage.suppression import EVERY_ACCOUNT, EVERY_CATEGORY, Suppression

SOURCE = "receipt"


def may_prune(receipt: ReceiptRow, codes: CodesOfConnectors) -> bool:
    """Whether this receipt, once applied, would be proof; never where the carrier's own word for
    the state is one that nobody knows.
    """
    return receipt.unknown_state is None and codes.of(receipt.connector).proves_dead(
        receipt.status, receipt.error
    )


def prunes(receipt: AppliedReceipt, codes: CodesOfConnectors) -> bool:
    """Whether this receipt is proof: it was matched to a message of ours and decided its status.

    A receipt that changed nothing is none: a duplicate has been counted, and one that ranks below
    what is known, such as `undelivered` after `delivered`, is contradicted.
    """
    return receipt.matched and receipt.changed and may_prune(receipt.row, codes)


def suppression_of(
    receipt: AppliedReceipt, to_idx: bytes, to_enc: bytes | None = None
) -> Suppression:
    """The entry for the number (16-byte index, sealed) whose receipt `prunes`: no account and no
    category may text it.
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
