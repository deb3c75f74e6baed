"""What an account reads of its messages: one, a list of them, a timeline.

Owns how a stored message is shown: its number decrypted, its status in words. Must not write.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

import asyncpg
import msgspec

from dlr.webhooks.callbacks import Callback
from messages.reading.listing import MessageFilter, list_messages
from messages.reading.timeline import (
    MessageRecord,
    Timeline,
    TimelinePage,
    read_message,
    read_timeline,
)
from storage.crypto import NumberVault
from storage.names import SANDBOX_NAME, Registry
from storage.reading import reading

SLICE_ITEMS = 100  # decrypting a number takes 20 us


class Messages:
    """Reads over the reading connections. Another account's message does not exist."""

    def __init__(
        self, pool: asyncpg.Pool[asyncpg.Record], registry: Registry, vault: NumberVault
    ) -> None:
        self._pool = pool
        self._registry = registry
        self._vault = vault

    async def message(self, account: int, message_id: int) -> MessageView | None:
        async with reading(self._pool) as connection:
            record = await read_message(connection, self._registry, account, message_id)
        return None if record is None else self._view(record)

    async def listed(
        self, account: int, wanted: MessageFilter, below: int | None, limit: int
    ) -> MessagePage:
        async with reading(self._pool) as connection:
            records, stopped_at = await list_messages(
                connection,
                self._registry,
                account,
                wanted,
                None if wanted.to is None else self._vault.indexes(wanted.to),
                below,
                limit,
            )
        views: list[MessageView] = []
        for record in records:
            views.append(self._view(record))
            if len(views) % SLICE_ITEMS == 0:
                await asyncio.sleep(0)
        return MessagePage(views, stopped_at)

    async def events(self, account: int, message_id: int, page: TimelinePage) -> Timeline | None:
        async with reading(self._pool) as connection:
            return await read_timeline(connection, self._registry, account, message_id, page)

    def _view(self, record: MessageRecord) -> MessageView:
        deciding = record.deciding
        return MessageView(
            id=record.id,
            to=self._vault.shown(record.to_enc),
            sender=record.sender,
            text=record.text,
            category=record.category,
            status=record.status.label,
            final=record.status.final,
            parts=record.parts,
            data_coding=record.data_coding,
            parts_delivered=record.parts_delivered,
            reason=record.standing.why,
            held_until=record.standing.until,
            error=deciding.error if deciding and deciding.told else None,
            detail=deciding.error if deciding and not deciding.told else None,
            connector=deciding.connector if deciding else record.connector,
            sandbox=record.connector == SANDBOX_NAME,
            client_ref=record.client_ref,
            batch_id=record.batch_id,
            campaign_id=record.campaign_id,
            variant=record.variant,
            tags=tuple(record.tags),
            callback=record.callback,
            created_at=record.created_at,
            updated_at=record.updated_at,
            send_at=record.send_at,
            expires_at=record.expires_at,
        )


class MessageView(msgspec.Struct, kw_only=True):
    """A message as it stands. `to` in E.164: the API masks it; None: it cannot be read."""

    id: int
    to: str | None
    sender: str
    text: str
    category: int
    status: str  # label of dlr/status.py
    final: bool
    parts: int
    data_coding: int
    parts_delivered: int = 0
    reason: str | None = None  # label of dlr/reasons.py, or the rule that holds it
    held_until: datetime | None = None
    error: str | None = None  # the carrier's own code
    detail: str | None = None  # our own words, where no carrier decided
    connector: str | None = None
    sandbox: bool = False
    client_ref: str | None = None
    batch_id: int | None = None
    campaign_id: str | None = None
    variant: str | None = None
    tags: tuple[str, ...] = ()
    callback: Callback | None = None
    created_at: datetime
    updated_at: datetime | None = None
    send_at: datetime | None = None
    expires_at: datetime | None = None


class MessagePage(msgspec.Struct, frozen=True):
    """Messages, newest first. `stopped_at`: the id below which there may be more; None at the end.

    It may hold fewer than were asked for and not be the last: what one page looks through is
    bounded.
    """

    messages: Sequence[MessageView]
    stopped_at: int | None
