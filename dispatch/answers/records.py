"""What the wire side tells the recorder: the closed set of things that can become of a submit_sm or
a receipt.

Owns shapes only. A record is immutable once offered; the recorder turns many of them into one
transaction.
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
    """The carrier's id of a submit_sm that was answered, as it is stored, and where it went."""

    carrier_id: str
    submission_id: int
    to: str


class PartResult(msgspec.Struct, gc=False):
    """One part of a message has its result; the message has not yet."""

    row: SubmissionRow


class MessageDone(msgspec.Struct, gc=False):
    """Every part of a message that `intent` names has its result.

    `rows` are results that come with it (one for a message of one part). `retry_at` None ends the
    message's time in the outbox; otherwise it is freed there for another attempt or for whoever has
    a bind for it. `requeued` leaves the outbox row as it is: the message is back in this process's
    ready queue.
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


class LateResult(msgspec.Struct, gc=False):
    """A part was taken, though its answer came after the doubt about it was decided. The row has
    the id of the one in doubt, if that was stored.
    """

    row: SubmissionRow


class ReceiptArrived(msgspec.Struct, gc=False):
    """A receipt that is to be answered with deliver_sm_resp once it is committed. `unclear`: why it
    is not what it says. `kept`: to be kept octet for octet; `keep_parked`: if no submit is found.
    """

    row: ReceiptRow
    bind: Bind
    delivery: Delivery
    unclear: Unclear | None = None
    kept: Kept | None = None
    keep_parked: bool = False


class StateLearned(msgspec.Struct):
    """As a receipt, but nobody waits for an answer: what a query_sm_resp said, or a receipt that is
    understood only now.
    """

    row: ReceiptRow


Record = PartResult | MessageDone | LateResult | ReceiptArrived | StateLearned
