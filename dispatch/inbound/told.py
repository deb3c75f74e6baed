"""What webhooks tell of messages from handsets and of the keywords in them.

Owns the fields of these events. They are written down in the transaction that stores the message;
numbers go sealed. Must not know who wants to hear (dlr/webhooks).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from dispatch.inbound.messages import InboundRow
from dlr.webhooks.changes import Happened, happened
from recipients.replies import ReplyClass
from storage.categories import Category
from storage.ids import format_id, time_of
from storage.suppression import EVERY_ACCOUNT, EVERY_CATEGORY, Key


def received(rows: Iterable[InboundRow]) -> list[Happened]:
    """`message.received` of each that belongs to an account."""
    return [
        happened(
            "message.received",
            row.account,
            time_of(row.id),
            {
                "id": format_id("inb", row.id),
                "to": row.destination,
                "text": row.text,
                "parts": row.parts,
                "parts_missing": row.parts_missing,
                "answers": None if row.answers is None else format_id("msg", row.answers),
                "opt_out": row.reply.kind is ReplyClass.OPT_OUT,
                "received_at": time_of(row.id),
            },
            subject=row.id,
            number=row.from_enc,
            number_field="from",
        )
        for row in rows
        if row.account != EVERY_ACCOUNT
    ]


def opted_out(ended: Iterable[tuple[InboundRow, int]]) -> list[Happened]:
    """`recipient.opted_out`: the message, and the category that it ends."""
    return [
        _recipient("recipient.opted_out", row, row.account, category) for row, category in ended
    ]


def opted_in(rows: Sequence[InboundRow], removed: Iterable[Key]) -> list[Happened]:
    """`recipient.opted_in`: what these messages took out of the list."""
    by_index = {row.from_idx: row for row in rows}
    return [
        _recipient("recipient.opted_in", by_index[to_idx], account, category)
        for to_idx, account, category in sorted(removed)
        if to_idx in by_index
    ]


def by_page(
    kind: str, account: int, category: int, at: datetime, message_id: int, to_enc: bytes
) -> Happened:
    """`recipient.opted_out` or `recipient.opted_in` by a press on the page of this message."""
    return happened(
        kind,
        account,
        at,
        {
            "scope": "account",
            "category": _label(category),
            "source": "page",
            "evidence": format_id("msg", message_id),
        },
        subject=message_id,
        number=to_enc,
    )


def _label(category: int) -> str:
    return "all" if category == EVERY_CATEGORY else Category(category).label


def _recipient(kind: str, row: InboundRow, account: int, category: int) -> Happened:
    return happened(
        kind,
        account,
        time_of(row.id),
        {
            "scope": "all" if account == EVERY_ACCOUNT else "account",
            "category": _label(category),
            "source": "keyword",
            "evidence": format_id("inb", row.id),
        },
        subject=row.id,
        number=row.from_enc,
    )
