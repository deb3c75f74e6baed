"""What the wire side tells the recorder: all that can become of a submit_sm or a receipt.

Owns shapes only. Must not decide anything. A record is immutable once offered. The recorder stores
many of them in one transaction.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from dispatch.holds import Hold
from dispatch.journey import Intent
from dispatch.raw.kept import Kept
from dispatch.raw.unclear import Unclear
from dlr.ledger import SubmissionRow
from dlr.receipt_rows import ReceiptRow
from smpp.client import Bind
from smpp.events import Delivery
from storage.events import Event


class KnownId(msgspec.Struct, frozen=True, gc=False):
    """A carrier's id from a submit_sm_resp, in the stored form, and where that message went."""

    carrier_id: str
    submission_id: int
    to: str


class PartResult(msgspec.Struct, gc=False):
    """One part of a message has its result; the message has not yet."""

    row: SubmissionRow


class MessageDone(msgspec.Struct, gc=False):
    """Every part of a message that `intent` names has its result.

    `rows` are results that come with it (one for a message of one part). `retry_at` None ends the
    message's time in the outbox. Otherwise it is freed there for another attempt, or for another
    connector. `requeued` leaves its outbox row alone: it is back in this process's ready queue.
    """

    message_id: int
    intent: Intent | None
    rows: tuple[SubmissionRow, ...] = ()
    retry_at: datetime | None = None
    attempt: int = 0
    requeued: bool = False
    hold: Hold = Hold.NONE  # why, if `retry_at` is set
    connector: int = 0  # whose it is from the next attempt on; 0: as before
    in_doubt: bool = False
    event: Event | None = None
    rerouted: Event | None = None
    way: int = 0  # which way it was done with (dlr/ways.py)
    way_ended: int = 0  # the account of a message whose next way ended before the wire


class LateResult(msgspec.Struct, gc=False):
    """A part was accepted, but its answer came after the doubt about it was decided.

    The row has the id of the one in doubt, if that one was stored.
    """

    row: SubmissionRow


class ReceiptArrived(msgspec.Struct, gc=False):
    """A receipt that is answered with deliver_sm_resp once it is committed.

    `unclear`: why it is not what it says. `kept`: kept octet for octet. `keep_parked`: kept only if
    no submit is found.
    """

    row: ReceiptRow
    bind: Bind
    delivery: Delivery
    unclear: Unclear | None = None
    kept: Kept | None = None
    keep_parked: bool = False


class StateLearned(msgspec.Struct):
    """A state that no deliver_sm waits for: from a query_sm_resp, or a receipt understood
    only now.
    """

    row: ReceiptRow


Record = PartResult | MessageDone | LateResult | ReceiptArrived | StateLearned
