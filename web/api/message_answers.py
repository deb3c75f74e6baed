"""What the API answers about messages: the shapes, and how they are filled.

Owns the JSON of answers under /v1/messages. Numbers leave masked. Must not decide anything nor ask
for anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Self

import msgspec
from msgspec import UNSET, UnsetType

from dlr.webhooks.callbacks import Callback
from messages.models import FieldError, Prepared, Refused, Verdict
from messages.reading.reader import MessageView
from messages.reading.timeline import TimelineEvent
from messages.words import CategoryName, ReasonName, StatusName
from smpp.vocabulary import DATA_CODING_LATIN_1, DATA_CODING_UCS2
from storage.categories import Category
from storage.crypto import mask
from storage.ids import format_id
from storage.names import SANDBOX
from web.edge.reveals import Discarded, Erased, Unreadable, discarded, erased, shown, unreadable

_LABELS = tuple(category.label for category in Category)


class SentMessage(msgspec.Struct, omit_defaults=True):
    """The answer to one message; also in the batch, there with `index` and fewer fields."""

    id: str
    status: StatusName
    to: str | None
    sender: str = msgspec.field(name="from")
    category: CategoryName
    parts: int
    encoding: str
    text: str | None
    reason: ReasonName | None = None
    held_until: datetime | None = None
    client_ref: str | None = None
    deduplicated: bool = False
    sandbox: bool = False
    to_unreadable: Unreadable = UNSET
    text_discarded: Discarded = UNSET
    erased: Erased = UNSET


class ItemError(msgspec.Struct):
    """Why one message of a batch was not taken."""

    code: str
    detail: str
    errors: tuple[FieldError, ...]

    @classmethod
    def of(cls, faults: Sequence[FieldError]) -> Self:
        """All of them, at least one; the first one says why."""
        return cls(faults[0].code, faults[0].detail, tuple(faults))


class BatchItem(msgspec.Struct, omit_defaults=True):
    """What became of one message of a batch: an id, or an error."""

    index: int
    id: str | None = None
    status: StatusName | None = None
    reason: ReasonName | None = None
    held_until: datetime | None = None
    deduplicated: bool = False
    sandbox: bool = False
    error: ItemError | None = None


class BatchAnswer(msgspec.Struct):
    """What became of a batch. `accepted` counts what was stored, also what is suppressed."""

    batch_id: str
    accepted: int
    rejected: int
    deduplicated: int
    suppressed: int
    items: list[BatchItem]


class CallbackResource(msgspec.Struct):
    """Where else this message's changes are told, as it was asked for."""

    url: str
    events: tuple[str, ...]
    data: object


class MessageResource(msgspec.Struct, kw_only=True):
    """A message as it stands. Absent values are null. `reason` is why it ended, or the rule that
    holds it, until `held_until` unless somebody has to free it. `updated_at` is when anything last
    happened to it: a result, a hold, a release, a cancel. `error` is the carrier's own code,
    `detail` says in our words why a message ended that no carrier refused.
    """

    id: str
    object: str = "message"
    to: str | None
    to_unreadable: Unreadable = UNSET
    erased: Erased = UNSET
    sender: str = msgspec.field(name="from")
    text: str | None
    text_discarded: Discarded = UNSET
    category: CategoryName
    status: StatusName
    final: bool
    reason: ReasonName | None
    held_until: datetime | None
    error: str | None
    detail: str | None
    parts: int
    parts_delivered: int
    encoding: str
    connector: str | None
    sandbox: bool
    client_ref: str | None
    batch_id: str | None
    campaign_id: str | None
    variant: str | None
    tags: tuple[str, ...]
    callback: CallbackResource | UnsetType = UNSET
    created_at: datetime
    updated_at: datetime | None
    send_at: datetime | None
    expires_at: datetime | None


class EventList(msgspec.Struct):
    """A message's timeline, oldest first. While there are more clicks, `next_cursor` says where it
    goes on.
    """

    data: Sequence[TimelineEvent]
    next_cursor: str | None


def sent(checked: Prepared, verdict: Verdict) -> SentMessage:
    """The answer for a message that was just stored."""
    return SentMessage(
        id=format_id("msg", verdict.id),
        status=verdict.status,
        to=mask(checked.to),
        sender=checked.sender,
        category=_LABELS[checked.category],
        parts=checked.parts,
        encoding=encoding_name(checked.data_coding),
        text=verdict.text,
        reason=verdict.reason,
        held_until=verdict.held_until,
        client_ref=checked.client_ref,
        sandbox=checked.connector == SANDBOX,
    )


def sent_before(view: MessageView, verdict: Verdict) -> SentMessage:
    """The answer for a message that an earlier request stored, with its status of now."""
    return SentMessage(
        id=format_id("msg", view.id),
        status=verdict.status,
        to=shown(view.to),
        to_unreadable=unreadable(view.to),
        erased=erased(view.to),
        sender=view.sender,
        category=_LABELS[view.category],
        parts=view.parts,
        encoding=encoding_name(view.data_coding),
        text=view.text or None,
        text_discarded=discarded(view.text),
        reason=verdict.reason,
        held_until=verdict.held_until,
        client_ref=view.client_ref,
        deduplicated=verdict.deduplicated,
        sandbox=view.sandbox,
    )


def batch_item(index: int, outcome: Verdict | Refused, checked: Prepared | Refused) -> BatchItem:
    """What became of the message at this place of a batch."""
    if isinstance(outcome, Verdict):
        return BatchItem(
            index,
            format_id("msg", outcome.id),
            outcome.status,
            outcome.reason,
            outcome.held_until,
            outcome.deduplicated,
            isinstance(checked, Prepared) and checked.connector == SANDBOX,
        )
    return BatchItem(index, error=ItemError(outcome.code, outcome.detail, outcome.errors))


def _callback(callback: Callback) -> CallbackResource:
    return CallbackResource(callback.url, callback.events, callback.data)


def category_name(category: int) -> str:
    """The name of a category in the API."""
    return _LABELS[category]


def encoding_name(data_coding: int) -> str:
    """The name of an alphabet in the API."""
    if data_coding == DATA_CODING_LATIN_1:
        return "latin1"
    return "ucs2" if data_coding == DATA_CODING_UCS2 else "gsm7"


def resource(view: MessageView) -> MessageResource:
    """A message as it stands."""
    return MessageResource(
        id=format_id("msg", view.id),
        to=shown(view.to),
        to_unreadable=unreadable(view.to),
        erased=erased(view.to),
        sender=view.sender,
        text=view.text or None,
        text_discarded=discarded(view.text),
        category=_LABELS[view.category],
        status=view.status,
        final=view.final,
        reason=view.reason,
        held_until=view.held_until,
        error=view.error,
        detail=view.detail,
        parts=view.parts,
        parts_delivered=view.parts_delivered,
        encoding=encoding_name(view.data_coding),
        connector=view.connector,
        sandbox=view.sandbox,
        client_ref=view.client_ref,
        batch_id=None if view.batch_id is None else format_id("bat", view.batch_id),
        campaign_id=view.campaign_id,
        variant=view.variant,
        tags=view.tags,
        callback=UNSET if view.callback is None else _callback(view.callback),
        created_at=view.created_at,
        updated_at=view.updated_at,
        send_at=view.send_at,
        expires_at=view.expires_at,
    )
