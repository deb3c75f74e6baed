"""A receipt as it is stored.

Owns its shape only. Must not decide what a receipt means (`dlr/receipt.py`) nor which submit it is
about (`dlr/receipt_targets.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

# A submit_sm_resp is awaited for a minute; a parked receipt older than this belongs to an earlier
# use of its carrier id.
JOIN_MINUTES = 60


class Parties(NamedTuple):
    """Whom a receipt is about, as far as its addresses tell: the recipient's index, None if
    unknown, the sender texted, and the indexes that the release before had for the recipient.
    """

    to_idx: bytes | None
    sender: str
    other_idx: Sequence[bytes] = ()


class ReceiptRow(msgspec.Struct, gc=False):
    """One receipt, decided and ready to be stored.

    `carrier_id` normalised as the connector's submissions are; `alternate_id` is the other id of a
    receipt whose TLV and text disagree (E7), tried when `carrier_id` matches nothing.
    `submission_id` is the newest submit that is remembered under the id, which holds while that is
    open. With `certain` it is the one that is meant: so whoever stores a receipt writes down what
    was found, and a transaction that runs again, since its COMMIT was in doubt, finds the same.
    `reference_id` is the submission that something else than an id points to.
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
    parties: Callable[[], Parties] | None = None  # asked only of what the id does not decide
    certain: bool = False
    parked_id: int | None = None  # its row in `unmatched_receipt`
    unknown_state: str | None = None  # the carrier's word for the state, which nobody knows
    guessed: bool = False  # read otherwise than it says
