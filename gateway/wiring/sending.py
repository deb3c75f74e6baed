"""From the configuration to rate limits, failover between connectors, and queries to carriers.

Owns that wiring, at start and at a reload. Must not decide anything.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING

from dispatch.message import Released
from dispatch.outbox.handover import Handover
from dispatch.outbox.refill import Refiller
from dispatch.outbox.stops import StopLook
from dispatch.outbox.ways import WayLook
from dispatch.routes.detours import Detours
from dispatch.wire.connector_dispatch import ConnectorDispatch
from dispatch.wire.last_look import LastLook
from dispatch.wire.querying import Querying
from gateway.config import Config
from gateway.wiring import connectors
from messages.accept.pacing import Pacing, PacingRates
from messages.models import Prepared
from storage.names import Registry

if TYPE_CHECKING:
    from gateway.rooms import Rooms

NANOSECONDS = 1_000_000_000


def pacing_rates(config: Config, registry: Registry) -> PacingRates:
    """Every rate that is not a connector's."""
    numbers = registry.accounts
    return PacingRates(
        accounts={
            numbers[account.name]: account.rate.spec
            for account in config.accounts
            if account.rate is not None
        },
        senders={
            (numbers[account.name], each.sender): each.rate.spec
            for account in config.accounts
            for each in account.sender_rates
        },
        # Reversed: of two routes that match the same, the first takes all.
        routes={
            each.match: each.rate.spec
            for each in {route.match: route for route in reversed(config.routes)}.values()
            if each.rate is not None
        },
        recipient_gap_ns=int(config.limits.recipient_gap_seconds * NANOSECONDS),
    )


def pacing(rooms: Rooms) -> Pacing:
    """The timetables of accounts, senders, routes and recipients."""

    def route_of(message: Prepared | Released) -> Hashable:
        account = rooms.registry.account_name(message.account)
        return rooms.routes.identity(
            message.to, message.sender, message.category, account, message.tags
        )

    rates = pacing_rates(rooms.config, rooms.registry)
    return Pacing(rates, route_of, since=rooms.ids.next())


def looks(rooms: Rooms) -> tuple[LastLook, ...]:
    """The checks of messages that are about to go."""
    stop = StopLook(rooms.pacing.stopped)
    # Caps count, so they are last. What a breaker holds is not counted.
    return (rooms.control.look, stop, WayLook(), rooms.breakers.look, *rooms.rules.looks)


def handover(
    rooms: Rooms,
    built: Mapping[int, ConnectorDispatch],
    detours: Detours,
    refiller: Refiller,
    monotonic: Callable[[], float],
) -> Handover:
    """Not yet started."""
    return Handover(
        rooms.database.dedicated("handover"),
        built,
        detours,
        vault=rooms.vault,
        ids=rooms.ids,
        monotonic=monotonic,
        backlog=refiller.backlog,
        configured_away=lambda: set(rooms.registry.connectors.values()) - built.keys(),
        ended=rooms.task_ended,
    )


def refiller(
    rooms: Rooms, built: Mapping[int, ConnectorDispatch], monotonic: Callable[[], float]
) -> Refiller:
    """Not yet started."""
    return Refiller(
        rooms.database.dedicated("refill"),
        built,
        batches=rooms.control.batches,
        vault=rooms.vault,
        ids=rooms.ids,
        term=rooms.term.term,
        monotonic=monotonic,
        ended=rooms.task_ended,
        pace=rooms.pacing,
        texts_differ=connectors.texts_differ(built),
    )


def querying(rooms: Rooms, built: Mapping[int, ConnectorDispatch]) -> Querying:
    """Not yet started."""
    return Querying(rooms.database.dedicated("querying"), built, rooms.clock, rooms.task_ended)
