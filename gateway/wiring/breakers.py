"""Breakers put together from the configuration, and what it says of them.

Owns that wiring. Must not decide anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dispatch.breakers.scopes import Scope
from dispatch.breakers.service import Breakers
from dispatch.routes.detours import Detours
from gateway.config.breaker_settings import BreakerSettings
from recipients.numbers.origins import NumberOrigins

if TYPE_CHECKING:
    from gateway.rooms import Rooms


def build(rooms: Rooms, detours: Detours) -> None:
    """Sets breakers; not started."""
    rooms.breakers = Breakers(
        rooms.database,
        registry=rooms.registry,
        vault=rooms.vault,
        operator_of=NumberOrigins().operator,
        elsewhere=detours.of,
        up=lambda: [number for number, each in rooms.dispatcher.connectors.items() if each.up],
        ids=rooms.ids,
        clock=rooms.clock,
        ended=rooms.task_ended,
    )
    follow(rooms.breakers, rooms.config.breakers)


def follow(breakers: Breakers, settings: BreakerSettings) -> None:
    """At the start and at a reload."""
    by_itself = [scope for scope in Scope if getattr(settings, scope, False)]
    breakers.follow(by_itself, otp=settings.otp)
