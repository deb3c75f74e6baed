"""Whether this machine's clock agrees with others, for `smsgate doctor`.

Owns the comparison with the database and with webhooks' receivers. A receiver refuses signatures
that are more than five minutes from its own clock, so a minute is already worth a word. Must
not set a clock.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version

from dlr.webhooks import endpoints
from dlr.webhooks.client import WebhookClient
from dlr.webhooks.endpoints import Receiver
from gateway.config import Config
from gateway.wiring.webhooks import webhook_client
from storage.pool import Connection

APART_SECONDS = 60
RECEIVERS_MAX = 20  # are asked, at once


def now() -> datetime:
    """This machine's clock."""
    return datetime.now(UTC)


async def of_database(connection: Connection, clock: Callable[[], datetime] = now) -> str | None:
    """How far this clock is from the database's, if that is too far."""
    before = clock()
    theirs: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return apart(before + (clock() - before) / 2, theirs)


async def of_receivers(
    config: Config, receivers: Sequence[Receiver], clock: Callable[[], datetime] = now
) -> list[tuple[int, str]]:
    """Endpoints whose clock is too far from this one, and how far. Who says no time is left out."""
    client = webhook_client(config.webhooks, f"smsgate/{version('smsgate')}", time.monotonic)
    try:
        found = await asyncio.gather(*(_of(client, each, clock) for each in receivers))
    finally:
        await client.close()
    return [(each.id, far) for each, far in zip(receivers, found, strict=True) if far is not None]


async def receivers_of(connection: Connection) -> list[Receiver]:
    """Those that are asked: active endpoints, the newest first."""
    return await endpoints.receivers(connection, RECEIVERS_MAX)


def apart(ours: datetime, theirs: datetime) -> str | None:
    """In words, from APART_SECONDS on."""
    seconds = round((ours - theirs).total_seconds())
    if abs(seconds) < APART_SECONDS:
        return None
    return f"{abs(seconds)} s {'ahead' if seconds > 0 else 'behind'}"


async def _of(
    client: WebhookClient, receiver: Receiver, clock: Callable[[], datetime]
) -> str | None:
    before = clock()
    said = await client.head(receiver.url, authority=receiver.ca)
    if said.date is None:
        return None
    try:
        theirs = parsedate_to_datetime(said.date)
    except (ValueError, TypeError):
        return None
    theirs = theirs if theirs.tzinfo is not None else theirs.replace(tzinfo=UTC)
    return apart(before + (clock() - before) / 2, theirs)
