"""A receipt as it is stored.

Owns its shape only. Must not decide what a receipt means (`dlr/receipt.py`) nor which submit it is
about (`dlr/receipt_targets.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

# A submit_sm_resp is awaited for a minute. An older parked receipt belongs to an earlier use of its
# carrier id.
JOIN_MINUTES = 60


class Parties(NamedTuple):
    """Whom a receipt is about, as far as its addresses tell.

    The recipient's index (None if unknown), the sender texted, and the recipient's indexes of the
    release before.
    """

    to_idx: bytes | None
    sender: str
    other_idx: Sequence[bytes] = ()


class ReceiptRow(msgspec.Struct, gc=False):
    """One receipt, decided and ready to be stored.

    `carrier_id` is normalised as the connector's submissions are. `alternate_id`, the other id of a
    receipt whose TLV and text disagree (E7), is tried when `carrier_id` matches nothing.

    `submission_id` is the newest submit remembered under the id, which holds while that one is
    open. With `certain` it is the one that is meant. Whoever stores a receipt writes down what was
    found. So a transaction that is repeated after a COMMIT in doubt finds the same.

    `reference_id` is the submission that something other than an id points to.
    """

    connector: int
    carrier_id: str
    submission_id: int | None
    status: int
    reason: int
    error: str | None
    done_at: datetime | None
    received_at: datetime
    alternate_id: str | None = None
    reference_id: int | None = None
    parties: Callable[[], Parties] | None = None  # looked at only where the id does not decide
    certain: bool = False
    parked_id: int | None = None  # its row in `unmatched_receipt`
    unknown_state: str | None = None  # the carrier's unknown word for the state
    guessed: bool = False  # read otherwise than its fields say
