"""Webhooks put together from the configuration.

Owns what is handed to them: where they may go, clocks and chance. Must not start anything.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from dispatch.wire.connector_watch import ConnectorWatch
from dlr.webhooks.addresses import AddressPolicy
from dlr.webhooks.changes import MessageEvent, tell_of_messages
from dlr.webhooks.client import WebhookClient, authority_fault
from dlr.webhooks.endpoints import SecretBox
from dlr.webhooks.owner_desk import OwnerDesk
from dlr.webhooks.service import Webhooks
from dlr.webhooks.worker import Clocks
from gateway.config.webhook_settings import WebhookSettings
from messages.accept.callbacks import CallbackFields
from messages.control.completion import KIND, BatchCompletion
from shortlinks.classify import ClickClass
from shortlinks.clicks import Row, Told
from shortlinks.reclassify import Changed
from shortlinks.reclassify import Told as ChangesTold
from smpp.tls import TlsError
from storage.ids import format_id, time_of
from storage.pool import Connection
from storage.reading import reading
from storage.terms import terms_held

if TYPE_CHECKING:
    from gateway.rooms import Rooms

CLICKED = "link.clicked"


def build(rooms: Rooms) -> None:
    """Sets webhooks. Raises OSError for a file of authorities that cannot be read."""
    agent = f"smsgate/{version('smsgate')}"
    client = webhook_client(rooms.config.webhooks, agent, time.monotonic)
    wall_ms = rooms.clock.wall_ms
    rooms.webhooks = Webhooks(
        rooms.database,
        client,
        box=SecretBox(rooms.keys),
        vault=rooms.vault,
        ids=rooms.ids,
        term=rooms.term.term,
        clocks=Clocks(
            now=lambda: datetime.fromtimestamp(wall_ms() / 1000, UTC),
            monotonic=time.monotonic,
            chance=random.random,
        ),
        ended=rooms.task_ended,
    )


def webhook_client(
    settings: WebhookSettings, user_agent: str, monotonic: Callable[[], float]
) -> WebhookClient:
    """Raises OSError for a file of authorities that cannot be read, and TlsError for another."""
    file = settings.ca_file
    # Comments of such a file name authorities, in any language.
    authority = None if file is None else Path(file).read_text("ascii", "ignore")
    if authority is not None and (fault := authority_fault(authority)) is not None:
        raise TlsError(f"webhooks.ca_file: {file} {fault}")
    return WebhookClient(
        address_policy(settings),
        user_agent=user_agent,
        monotonic=monotonic,
        authority=authority,
    )


def callback_fields(rooms: Rooms) -> CallbackFields:
    """What a message may say of its callback."""
    secrets = rooms.webhooks.subscriptions
    return CallbackFields(
        lambda account: account in secrets.callback_secrets,
        address_policy(rooms.config.webhooks),
    )


def batch_completion(rooms: Rooms) -> BatchCompletion:
    """Tells of batches that have ended; not started."""
    return BatchCompletion(
        rooms.database.dedicated("batch-completion"),
        wanted=lambda: rooms.webhooks.subscriptions.wants(KIND),
        ids=rooms.ids,
        wall_ms=rooms.clock.wall_ms,
        ended=rooms.task_ended,
    )


def clicks_told(rooms: Rooms) -> Told:
    """Writes `link.clicked` down for whoever wants to hear."""

    async def told(connection: Connection, rows: Sequence[Row]) -> None:
        if rooms.webhooks.subscriptions.wants(CLICKED):
            clicks = [
                _click(row.id, row.message_id, row.slot, row.click_class, row.reasons, 1)
                for row in rows
                if row.link_id is None
            ]
            await tell_of_messages(connection, CLICKED, clicks, rooms.ids)

    return told


def clicks_changed(rooms: Rooms) -> ChangesTold:
    """The same for clicks that turned out to be another's: their next revision."""

    async def told(connection: Connection, changed: Sequence[Changed]) -> None:
        if rooms.webhooks.subscriptions.wants(CLICKED):
            await tell_of_messages(connection, CLICKED, click_revisions(changed), rooms.ids)

    return told


def click_revisions(changed: Sequence[Changed]) -> list[MessageEvent]:
    """What is told of them."""
    return [
        _click(each.id, each.message_id, each.slot, each.after, each.reasons, each.revision)
        for each in changed
        if each.message_id
    ]


def _click(
    click: int, message: int, slot: int, click_class: int, reasons: list[str], revision: int
) -> MessageEvent:
    data = {
        "message_id": format_id("msg", message),
        "link": slot,
        "class": ClickClass(click_class).label,
        "reasons": reasons,
        "human": click_class == ClickClass.HUMAN,
        "revision": revision,
    }
    return MessageEvent(message, time_of(click), data)


def connector_watch(rooms: Rooms) -> ConnectorWatch:
    """Tells when connectors go down and come up; not started."""
    return ConnectorWatch(
        rooms.database.dedicated("connector-watch"),
        names=lambda: [each.name for each in rooms.config.connectors],
        down=rooms.down,
        ids=rooms.ids,
        wall_ms=rooms.clock.wall_ms,
        ended=rooms.task_ended,
    )


def owner_desk(rooms: Rooms) -> OwnerDesk:
    """What the API asks of webhooks."""
    webhooks = rooms.webhooks

    async def settled() -> None:
        async with reading(rooms.database.read) as connection:
            alone = await terms_held(connection) == 1
        await webhooks.subscriptions.settled(alone=alone)

    return OwnerDesk(
        rooms.database.read,
        rooms.database.dedicated("webhook-owners"),
        tests=webhooks.tests,
        policy=address_policy(rooms.config.webhooks),
        box=webhooks.box,
        ids=rooms.ids,
        now=lambda: datetime.fromtimestamp(rooms.clock.wall_ms() / 1000, UTC),
        settled=settled,
    )


def address_policy(settings: WebhookSettings) -> AddressPolicy:
    """Where webhooks may go. Raises ValueError for what is no network."""
    return AddressPolicy.of(
        settings.allow_networks, allow_http=settings.allow_http, ports=settings.ports
    )
