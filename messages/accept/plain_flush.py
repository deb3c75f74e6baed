"""The usual flush in one statement, where nothing but the suppression list and client_ref is asked.

Owns which flushes qualify, and that statement. Must not decide about a message. Where something has
to be looked at it writes nothing, and the accepter goes the long way.

It saves six round trips of seven, up to some 100 messages. Beyond that COPY is cheaper.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from messages.accepting import Accepting, FlushCheck
from storage import sql
from storage.faults import DEFECTS
from storage.pool import Dedicated

_SQL = sql.load("messages")
MESSAGES_MAX = 100
_encode = msgspec.json.Encoder().encode


class _Row(msgspec.Struct, omit_defaults=True, gc=False):
    """The fields of a row, as plain_flush.sql names them. Octets are hexadecimal, for
    PostgreSQL.
    """

    id: int
    owner: int
    account: int
    category: int
    connector: int
    data_coding: int
    parts: int
    sender: str
    to_enc: str
    to_idx: str
    text: str
    expires_at: datetime | None
    priority: int
    country: int
    operator: int
    client_ref: str | None = None
    fingerprint: str | None = None
    campaign_id: str | None = None
    variant: str | None = None
    tags: tuple[str, ...] = ()
    text_days: int | None = None


def suits(items: Sequence[Accepting], checks: Sequence[FlushCheck]) -> bool:
    """Whether one statement can store all of them, if nobody is on the suppression list."""
    return len(items) <= MESSAGES_MAX and not any(
        item.batch_id is not None
        or item.again
        or item.old_idx  # the statement asks for one index of each recipient
        or item.prepared.links
        or item.prepared.options is not None
        or item.prepared.callback is not None
        or any(check.concerns(item) for check in checks)
        for item in items
    )


async def store(dedicated: Dedicated, items: Sequence[Accepting]) -> bool:
    """Store them; False, and nothing stored, if a recipient is suppressed or a client_ref taken."""
    document = _encode([_row(item) for item in items]).decode()
    try:
        async with dedicated.guarded() as connection:
            return bool(await connection.fetchval(_SQL["store_if_clear"], document))
    except DEFECTS:  # a reference is taken, or a value that the long way finds by itself
        return False


def _row(item: Accepting) -> _Row:
    message = item.prepared
    return _Row(
        item.id, item.owner, message.account, message.category, message.connector,
        message.data_coding, message.parts, message.sender, "\\x" + item.to_enc.hex(),
        "\\x" + item.to_idx.hex(), item.text, item.expires_at, message.priority,
        message.country, message.operator,
        message.client_ref, None if item.fingerprint is None else "\\x" + item.fingerprint.hex(),
        message.campaign_id, message.variant, message.tags, message.text_days,
    )  # fmt: skip
