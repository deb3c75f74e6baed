"""What is told: the types of events, which of them a filter wants, and their octets.

Owns the names, the fields of a message's event and the form of a batch. Pure. A body holds numbers
masked; `with_number` puts the whole one in its place, octet for octet the same at every attempt.
Must not know who is told (fan_out.py) nor when (worker.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from dlr.reasons import Reason
from dlr.status import STATUSES, Status, fold
from storage.ids import format_id

TELLABLE: Final = tuple(status for status in Status if status >= Status.UNCONFIRMED)
MESSAGE_TYPES: Final = tuple(sorted({f"message.{status.label}" for status in TELLABLE}))
OTHER_TYPES: Final = (
    "message.received", "link.clicked", "conversion.recorded", "recipient.opted_out",
    "recipient.opted_in", "recipient.pruned", "batch.completed", "batch.paused", "breaker.opened",
    "breaker.closed", "anomaly.detected", "connector.down", "connector.up", "endpoint.failing",
    "endpoint.disabled",
)  # fmt: skip
TEST: Final = "webhook.test"
BATCH: Final = "events.batch"
WAY_STRIDE: Final = 1 << 15  # more than 255 parts of any status sum up to
FINAL: Final = "final"  # a filter: a message's last status, and its late corrections
TYPES: Final = (*MESSAGE_TYPES, *OTHER_TYPES)
NUMBER_FIELDS: Final = ("to", "from", "number")  # where a number stands, first in `data`
BATCH_OCTETS_MAX: Final = 256 * 1024

_encode = msgspec.json.Encoder().encode


class Failure(msgspec.Struct, gc=False):
    """Why a message was not delivered."""

    code: str
    permanent: bool
    carrier_code: str | None


class MessageData(msgspec.Struct, kw_only=True, gc=False):
    """A message as it is since the event. `sequence` rises from event to event of a message."""

    to: str | None
    id: str
    status: str
    previous: str | None
    final: bool
    sequence: int
    sender: str = msgspec.field(name="from")
    category: str
    parts: int
    parts_delivered: int
    client_ref: str | None
    batch_id: str | None
    campaign_id: str | None
    variant: str | None
    tags: Sequence[str]
    created_at: str
    done_at: str | None
    error: Failure | None
    callback_data: object = None


class PartState(msgspec.Struct, gc=False, frozen=True):
    """The best that was said of one part."""

    status: Status
    reason: Reason = Reason.NONE
    error: str | None = None
    done_at: datetime | None = None


class Standing(msgspec.Struct, gc=False, frozen=True):
    """What a message is, from the states of its parts."""

    status: Status
    sequence: int
    delivered: int
    reason: Reason
    error: str | None
    done_at: datetime | None


def standing(parts: Sequence[PartState], of: int, way: int = 0) -> Standing:
    """The message of these parts. A part's status only climbs, so the sum of all is a number that
    rises with every change, whichever process writes it. Another way of the message begins above.
    """
    status = fold([part.status for part in parts], of=of)
    # One part may be delivered while another has no status yet: then the message is `sent` by none.
    so = (part for part in parts if part.status is status)
    deciding = max(so, key=lambda part: part.reason, default=PartState(status))
    done = [part.done_at for part in parts if part.done_at is not None]
    return Standing(
        status,
        way * WAY_STRIDE + sum(part.status for part in parts),
        sum(part.status is Status.DELIVERED for part in parts),
        deciding.reason,
        deciding.error,
        max(done, default=None),
    )


def type_of(status: Status) -> str:
    """`message.delivered`."""
    return f"message.{status.label}"


def wants(events: Iterable[str], kind: str, *, final: bool = False) -> bool:
    """Whether a filter (names, `message.*`, `final`) asks for an event of this type. `final`: it
    tells a message's last status.
    """
    family = f"{kind.partition('.')[0]}.*"
    return any(each in (kind, family) or (final and each == FINAL) for each in events)


def wanted_statuses(events: Iterable[str]) -> frozenset[int]:
    """The codes of the statuses that a filter asks for."""
    asked = tuple(events)
    return frozenset(
        int(status)
        for status in TELLABLE
        if wants(asked, type_of(status), final=STATUSES[status].final)
    )


def unknown_filters(events: Iterable[str]) -> list[str]:
    """Those of these that name nothing."""
    families = {f"{kind.partition('.')[0]}.*" for kind in TYPES}
    known = {*TYPES, *families, FINAL}
    return [each for each in events if each not in known]


def failure(status: Status, reason: Reason, error: str | None) -> Failure | None:
    """None of a message that fares well. A code of the carrier's exists only behind the wire."""
    if status in (Status.SENT, Status.DELIVERED, Status.UNCONFIRMED):
        return None
    if reason is Reason.NONE and error is None:
        return None
    return Failure(reason.label, reason.permanent, error if STATUSES[status].wire else None)


def moment(at: datetime) -> str:
    """As every body writes it."""
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def body(kind: str, at: datetime, data: object) -> bytes:
    """One event's octets."""
    return _encode({"type": kind, "timestamp": moment(at), "data": data})


def with_number(octets: bytes, masked: str, number: str) -> bytes:
    """The same event with the whole number: it stands first in `data`, so nothing that a person
    wrote can stand before it.
    """
    for field in NUMBER_FIELDS:
        told = b'"%s":"%s"' % (field.encode(), masked.encode())
        if told in octets:
            return octets.replace(told, b'"%s":"%s"' % (field.encode(), number.encode()), 1)
    return octets


def event_name(event_id: int) -> str:
    """The `webhook-id` of an event."""
    return format_id("evt", event_id)


def batch_name(delivery_id: int) -> str:
    """The `webhook-id` of a batch."""
    return format_id("whb", delivery_id)


def batch_body(at: datetime, events: Mapping[int, bytes]) -> bytes:
    """`events.batch`: each event whole, with its own id in front."""
    told = b",".join(
        b'{"id":"%s",%s' % (event_name(event_id).encode(), octets[1:])
        for event_id, octets in events.items()
    )
    return b'{"type":"%s","timestamp":"%s","data":{"events":[%s]}}' % (
        BATCH.encode(),
        moment(at).encode(),
        told,
    )
