"""Which receipts are proof that a number is dead.

Owns that decision and the suppression entry it leads to. Pure: the caller writes the entry, in the
transaction that stores the receipt. Must not look at counts or history: one definite code is proof,
any number of doubtful ones is not (`dlr/reasons.py` says which is which).
"""

from __future__ import annotations

from dlr.ledger import AppliedReceipt, ReceiptRow
from dlr.reasons import Reason
from dlr.status import Status
from storage.suppression import EVERY_ACCOUNT, EVERY_CATEGORY, Suppression

SOURCE = "receipt"

_VERDICTS = frozenset({Status.UNDELIVERED, Status.REJECTED})


def may_prune(receipt: ReceiptRow) -> bool:
    """Whether this receipt, once applied, would be proof."""
    return receipt.status in _VERDICTS and Reason(receipt.reason).prune


def prunes(receipt: AppliedReceipt) -> bool:
    """Whether this receipt is proof: it was matched to a message of ours and decided its status.

    A receipt that changed nothing is none: a duplicate has been counted, and one that ranks below
    what is known, such as `undelivered` after `delivered`, is contradicted.
    """
    return receipt.matched and receipt.changed and may_prune(receipt.row)


def suppression_of(receipt: AppliedReceipt, to_idx: bytes) -> Suppression:
    """The entry for the number (16-byte index) whose receipt `prunes`: no account and no category
    may text it.
    """
    return Suppression(
        to_idx=to_idx,
        reason=receipt.row.reason,
        source=SOURCE,
        account=EVERY_ACCOUNT,
        category=EVERY_CATEGORY,
        message_id=receipt.message_id,
        detail=f"carrier code {receipt.error}" if receipt.error else None,
    )
