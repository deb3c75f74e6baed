"""The rows and objects that a message becomes when it is stored.

Owns the shapes of what the accepter writes: message, outbox, and the submission row of a message
that ends at once. Must not decide anything.
"""

from __future__ import annotations

from dispatch.holds import FREED_BY_HAND
from dispatch.message import ReadyMessage
from dlr.ledger import SubmissionRow
from messages.accepting import Accepting
from storage.events import Event
from storage.ids import IdSource
from storage.names import NO_CONNECTOR

MESSAGE_COLUMNS = (
    "id", "account", "category", "connector", "data_coding", "parts", "sender", "to_enc", "to_idx",
    "text", "client_ref", "batch_id", "campaign_id", "variant", "tags", "expires_at",
    "priority", "options", "text_days", "country", "operator",
)  # fmt: skip
CALLBACK_COLUMNS = (*MESSAGE_COLUMNS, "callback")  # where any message of a flush has one
OUTBOX_COLUMNS = (
    "id", "owner", "connector", "category", "account", "parts", "not_before", "expires_at",
    "hold", "batch_id", "priority",
)  # fmt: skip


def message_row(item: Accepting) -> tuple[object, ...]:
    """The values of MESSAGE_COLUMNS, in order."""
    message = item.prepared
    return (
        item.id, message.account, message.category, message.connector, message.data_coding,
        message.parts, message.sender, item.to_enc, item.to_idx, item.text, message.client_ref,
        item.batch_id, message.campaign_id, message.variant, message.tags or None, item.expires_at,
        message.priority, message.options, message.text_days, message.country,
        message.operator,
    )  # fmt: skip


def callback_row(item: Accepting) -> tuple[object, ...]:
    """As CALLBACK_COLUMNS name it."""
    return (*message_row(item), item.prepared.callback)


def outbox_row(item: Accepting) -> tuple[object, ...]:
    """The values of OUTBOX_COLUMNS, in order."""
    message = item.prepared
    return (
        item.id, item.owner, message.connector, message.category, message.account, message.parts,
        item.not_before, item.expires_at, item.hold, item.batch_id, message.priority,
    )  # fmt: skip


def ended_row(item: Accepting, ids: IdSource) -> SubmissionRow:
    """The one row of a message that ends without the wire. It holds its status."""
    message = item.prepared
    assert item.ended is not None
    return SubmissionRow(
        id=ids.next(),
        message_id=item.id,
        part=0,
        parts=message.parts,
        account=message.account,
        category=message.category,
        connector=NO_CONNECTOR,
        status=item.ended.status,
        reason=item.ended.reason,
        error=item.ended.error,
    )


def ready_message(item: Accepting) -> ReadyMessage:
    """What the ready queue holds of a message once it is committed."""
    message = item.prepared
    return ReadyMessage(
        id=item.id,
        category=message.category,
        account=message.account,
        parts=message.parts,
        cost=message.parts,
        to=message.to,
        to_idx=item.to_idx,
        sender=message.sender,
        text=item.text,
        expires_at=message.expires_at,
        batch_id=item.batch_id,
        priority=message.priority,
        tags=message.tags,
        options=message.options,
        old_idx=item.old_idx,
    )


def held_event(item: Accepting, ids: IdSource) -> Event:
    """An event that says why it waits, and until when unless somebody has to free it."""
    detail: dict[str, object] = {"rule": item.hold.rule}
    if item.not_before != FREED_BY_HAND:
        detail["until"] = item.not_before
    return Event(ids.next(), item.id, "held", detail)
