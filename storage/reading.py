"""What the API reads: messages, readiness and connectors, out of PostgreSQL and this process's
counters.

Owns the filling of web/services.py's protocols. Writes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from dispatch.wire.connector_dispatch import ConnectorDispatch
from gateway.config.connector_settings import ConnectorSettings
from gateway.wiring.connectors import PAUSED
from messages.models import StorageDown
from messages.reading.listing import list_messages
from messages.reading.timeline import MessageRecord, read_message, read_timeline
from smpp.client import BindState
from storage.connectors import SANDBOX_NAME
from storage.crypto import NumberVault
from storage.faults import is_transient
from storage.names import Registry
from storage.pool import Connection
from web.services import (
    ConnectorView,
    MessageFilter,
    MessagePage,
    MessageView,
    Timeline,
    TimelinePage,
)

RETRY_AFTER_SECONDS = 1
SLICE_ITEMS = 100  # decrypting a number takes 20 us


@asynccontextmanager
async def reading(pool: asyncpg.Pool[asyncpg.Record]) -> AsyncIterator[Connection]:
    """A reading connection; a database that is away becomes StorageDown."""
    try:
        async with pool.acquire() as connection:
            yield connection  # type: ignore[misc]  # the pool's proxy has the connection's methods
    except Exception as error:
        if not is_transient(error):
            raise
        raise StorageDown(RETRY_AFTER_SECONDS) from error


class Messages:
    """Implements MessageReader."""

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
            to=self._vault.open_or_none(record.to_enc),
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
            created_at=record.created_at,
            updated_at=record.updated_at,
            send_at=record.send_at,
            expires_at=record.expires_at,
        )


def connector_view(dispatch: ConnectorDispatch, settings: ConnectorSettings) -> ConnectorView:
    """One connector as it runs here."""
    pool = dispatch.pool
    binds = [] if pool is None else pool.binds
    rate, ceiling = dispatch.pace.per_second, dispatch.pace.ceiling
    return ConnectorView(
        name=dispatch.name,
        kind=settings.kind,
        up=pool is not None and pool.up,
        reason=None if pool is None else pool.reason,
        binds=len(binds),
        binds_up=sum(bind.state is BindState.BOUND for bind in binds),
        window=settings.window,
        in_flight=dispatch.parts_in_flight,
        queued=len(dispatch.ready),
        rate=None if rate is None else f"{rate:g}/s",
        rate_max=None if ceiling is None else f"{ceiling.per_second:g}/s",
        paused=PAUSED in dispatch.withheld,
        withheld=dispatch.withheld,
        keep_raw=settings.keep_raw,
        code_table=settings.code_table,
        codes=settings.codes,
        receipt_states=settings.receipt_states,
        receipts_per=settings.receipts_per,
        receipt_time_zone=str(settings.receipt_time_zone),
        receipt_states_unknown=dict(dispatch.intake.reader.unknown_words.counts()),
        bind=settings.bind,
        hints=dispatch.outcomes.unfit.hints,
    )
