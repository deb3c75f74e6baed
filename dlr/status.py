"""The one state table: what a message or a part of it can be, and what may follow what.

Owns everything that orders statuses: their codes (stored in `submission.status`), their API names,
and which are final. Must not know where a status comes from (`dlr/receipt.py`) nor why it came
about (`dlr/reasons.py`).

The code of a status is its rank, and a part only ever climbs. So the outcome is the maximum of all
that was said about the part. A maximum does not care in which order, or how often, receipts arrive
(E16, E17).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from types import MappingProxyType

import msgspec


class Status(IntEnum):
    """Negative: before the wire, never in a submission row. 5 to 60: of a submit_sm. From 70: ended
    without the wire.
    """

    ACCEPTED = -5
    SCHEDULED = -4
    HELD = -3
    QUEUED = -2
    SENDING = -1
    UNCONFIRMED = 5
    SENT = 10
    DROPPED = 15  # was in doubt and given up; any verdict of the carrier still corrects it
    UNKNOWN = 20
    EXPIRED = 30
    REJECTED = 40
    UNDELIVERED = 50
    DELIVERED = 60
    FAILED = 70
    SUPPRESSED = 71
    CAPPED = 72
    CANCELED = 73

    @property
    def label(self) -> str:
        """The name in the API, in webhooks, in metrics."""
        return STATUSES[self].label

    @property
    def final(self) -> bool:
        """Whether the caller may stop waiting. A late receipt still corrects `unknown` and what
        ranks above.
        """
        return STATUSES[self].final


class StatusInfo(msgspec.Struct, frozen=True):
    """One row of the state table. `wire`: a submit_sm was, or may have been, written. `doc`: what
    people are told.
    """

    label: str
    final: bool
    wire: bool
    doc: str


STATUSES: Mapping[Status, StatusInfo] = MappingProxyType(
    {
        Status.ACCEPTED: StatusInfo(
            "accepted",
            final=False,
            wire=False,
            doc="It is stored and has not been looked at yet.",
        ),
        Status.SCHEDULED: StatusInfo(
            "scheduled",
            final=False,
            wire=False,
            doc="It waits for its `send_at`.",
        ),
        Status.HELD: StatusInfo(
            "held",
            final=False,
            wire=False,
            doc="A rule holds it back; `reason` says which.",
        ),
        Status.QUEUED: StatusInfo(
            "queued",
            final=False,
            wire=False,
            doc="It waits for its turn, its pace or its next attempt.",
        ),
        Status.SENDING: StatusInfo(
            "sending",
            final=False,
            wire=False,
            doc="It is being written to the carrier.",
        ),
        Status.UNCONFIRMED: StatusInfo(
            "unconfirmed",
            final=False,
            wire=True,
            doc="It may have been sent: the carrier's answer never came.",
        ),
        Status.SENT: StatusInfo(
            "sent",
            final=False,
            wire=True,
            doc="The carrier took it, or part of it; no final receipt yet.",
        ),
        Status.DROPPED: StatusInfo(
            "failed",
            final=True,
            wire=True,
            doc="It was in doubt and is given up; a receipt still corrects this.",
        ),
        Status.UNKNOWN: StatusInfo(
            "unknown",
            final=True,
            wire=True,
            doc="The final receipt did not come in time; a late one still corrects this.",
        ),
        Status.EXPIRED: StatusInfo(
            "expired",
            final=True,
            wire=True,
            doc="Its validity period ended before it was delivered.",
        ),
        Status.REJECTED: StatusInfo(
            "rejected",
            final=True,
            wire=True,
            doc="The carrier refused it.",
        ),
        Status.UNDELIVERED: StatusInfo(
            "undelivered",
            final=True,
            wire=True,
            doc="The carrier could not deliver it.",
        ),
        Status.DELIVERED: StatusInfo(
            "delivered",
            final=True,
            wire=True,
            doc="The carrier says that the handset has it.",
        ),
        Status.FAILED: StatusInfo(
            "failed",
            final=True,
            wire=False,
            doc="It ended here, by a fault or a setting of the gateway.",
        ),
        Status.SUPPRESSED: StatusInfo(
            "suppressed",
            final=True,
            wire=False,
            doc="It was not sent, for its recipient must not get it.",
        ),
        Status.CAPPED: StatusInfo(
            "capped",
            final=True,
            wire=False,
            doc="It was not sent, for its recipient has had as many as allowed.",
        ),
        Status.CANCELED: StatusInfo(
            "canceled",
            final=True,
            wire=False,
            doc="It was canceled before it was sent.",
        ),
    }
)

RECEIPT_STATUSES = frozenset(
    {
        Status.SENT,
        Status.UNKNOWN,
        Status.EXPIRED,
        Status.REJECTED,
        Status.UNDELIVERED,
        Status.DELIVERED,
    }
)

_BY_LABEL: Mapping[str, Status] = MappingProxyType(
    {info.label: status for status, info in STATUSES.items()}
)


def status_of(label: str) -> Status:
    """The status with this API name. Raises ValueError that lists the names."""
    try:
        return _BY_LABEL[label]
    except KeyError:
        raise ValueError(f"status {label!r}: expected one of {', '.join(_BY_LABEL)}") from None


def stopped(status: Status, *, in_doubt: bool, begun: bool) -> Status:
    """The status of a message that ends here as `status`.

    `in_doubt`: an earlier attempt may have brought it to the carrier. `begun`: some parts are
    there. Then it is none of the statuses that never reach the wire.
    """
    if in_doubt:
        return Status.UNCONFIRMED
    return Status.DROPPED if begun and not STATUSES[status].wire else status


def outranks(incoming: int, current: int) -> bool:
    """Whether hearing `incoming` changes what a part is: the rule, also for stored codes."""
    return incoming > current


def advance(current: Status, incoming: Status) -> Status:
    """What a part is after hearing `incoming`: the higher rank."""
    return incoming if outranks(incoming, current) else current


def fold(parts: Sequence[Status], *, of: int = 0) -> Status:
    """The status of a message, from the status of each of its parts (of part 0, if it ended without
    the wire).

    A part in doubt decides first, since somebody has to act on it. Then one failed part is enough,
    for the message was not delivered whole. Only a better word about that part corrects it. Of
    several failures the highest rank counts. The message is delivered only if all parts are.

    `of`: how many parts there are, where some may not have a status yet. Raises ValueError without
    any part: only its outbox row knows the status of such a message.
    """
    seen = set(parts)
    if not seen:
        raise ValueError("a message without parts has no status on the wire")
    if Status.UNCONFIRMED in seen:
        return Status.UNCONFIRMED
    failures = seen - {Status.SENT, Status.DELIVERED}
    if failures:
        return max(failures)
    return Status.SENT if Status.SENT in seen or len(parts) < of else Status.DELIVERED
