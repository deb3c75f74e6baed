"""From the configuration to the service for messages from handsets.

Owns that wiring alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gateway.accept.numbers import NumberPlan
from gateway.config import Config
from gateway.config.account_settings import AccountSettings
from gateway.dispatch.clock import Clock
from gateway.inbound.intake import InboundShared
from gateway.inbound.owners import SenderOwners
from gateway.inbound.recorder import InboundRecorder
from gateway.inbound.service import InboundService
from gateway.registry import DEFAULT_ACCOUNT, Registry
from smpp.reassembly import MESSAGES_OPEN_MAX
from storage.crypto import NumberVault
from storage.ids import IdSource
from storage.pool import Database

NANOSECONDS = 1_000_000_000


def build(
    config: Config,
    database: Database,
    registry: Registry,
    *,
    vault: NumberVault,
    ids: IdSource,
    term: int,
    clock: Clock,
    ended: Callable[[asyncio.Task[None]], object],
) -> InboundService:
    """Not yet started; its intakes are made with the connectors."""
    accounts = config.accounts or (AccountSettings(name=DEFAULT_ACCOUNT),)
    recorder = InboundRecorder(
        database.dedicated("inbound"),
        vault=vault,
        term=term,
        owners=SenderOwners(
            [(registry.accounts[account.name], account.senders) for account in accounts]
        ),
        waiting_max=config.limits.inbound_waiting_max,
        late_max=MESSAGES_OPEN_MAX * max(1, len(config.connectors)),
        wall_ms=clock.wall_ms,
    )
    return InboundService(
        database.dedicated("inbound-parts"),
        InboundShared(
            recorder, ids, vault, NumberPlan().fault, lambda: clock.monotonic_ns() / NANOSECONDS
        ),
        term=term,
        wall_ms=clock.wall_ms,
        ended=ended,
    )
