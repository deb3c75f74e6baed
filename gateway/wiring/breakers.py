"""Breakers and the watch over anomalies, put together from the configuration.

Owns that wiring. Must not decide anything.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
import structlog

from dispatch.breakers.desk import BreakerDesk
from dispatch.breakers.machine import BASELINE_DEFAULT
from dispatch.breakers.scopes import Scope, UnknownSubject
from dispatch.breakers.service import Breakers
from dispatch.routes.detours import Detours
from dlr.anomalies.series import Names
from dlr.anomalies.watch import AnomalyWatch, Suspicion, Trip
from gateway.config.breaker_settings import BreakerSettings
from recipients.numbers.origin_numbers import operator_names
from recipients.numbers.origins import NumberOrigins
from storage.faults import StorageDown

if TYPE_CHECKING:
    from gateway.rooms import Rooms

_log = structlog.get_logger(__name__)


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


def build_anomalies(rooms: Rooms) -> None:
    """Sets anomalies; not started. What it finds may open a breaker."""
    registry = rooms.registry
    rooms.anomalies = AnomalyWatch(
        rooms.database.dedicated("anomalies"),
        names=Names(
            connector=registry.connector_name,
            account=registry.account_name,
            operator=operator_names().get,
        ),
        ids=rooms.ids,
        now=lambda: datetime.fromtimestamp(rooms.clock.wall_ms() / 1000, UTC),
        ended=rooms.task_ended,
        trip=tripping(rooms.breakers.desk),
        otp=lambda: rooms.config.breakers.otp,
    )


def tripping(desk: BreakerDesk) -> Trip:
    """Opens the breaker that a suspicion is about, where its scope is configured to."""

    async def trip(suspicion: Suspicion) -> bool:
        finding, place = suspicion.finding, suspicion.place
        try:
            return await desk.trip(
                Scope(place.scope),
                place.subject,
                msgspec.to_builtins(finding),
                detector=finding.detector,
                reason=f"{finding.detector}: {finding.observed:g}, usually {finding.usual:g}",
                began_ms=int(suspicion.began_at.timestamp() * 1000),
                baseline=suspicion.baseline or BASELINE_DEFAULT,
                wait_ms=suspicion.wait_ms,
            )
        except (UnknownSubject, StorageDown) as error:
            _log.warning("breaker_not_opened", subject=place.subject, error=repr(error))
            return False

    return trip


def follow(breakers: Breakers, settings: BreakerSettings) -> None:
    """At the start and at a reload."""
    by_itself = [scope for scope in Scope if getattr(settings, scope, False)]
    breakers.follow(by_itself, otp=settings.otp)
