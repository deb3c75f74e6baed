"""From the configuration to the limits that pacing keeps, to the hand-over between connectors,
and to the questions to carriers.

Owns that wiring, at start and when the configuration is read again. Decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING

from dispatch.outbox.due_rows import Released
from dispatch.outbox.handover import Detours, Handover
from dispatch.outbox.refill import Refiller
from dispatch.outbox.stops import StopLook
from dispatch.wire.connector_dispatch import ConnectorDispatch
from dispatch.wire.last_look import LastLook
from dispatch.wire.querying import Querying
from gateway.config import Config
from gateway.wiring import connectors
from messages.accept.pacing import Pacing, PacingRates
from messages.models import Prepared
from storage.names import Registry

if TYPE_CHECKING:
    from gateway.app import Gateway

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
        # Reversed: of two routes that match the same the first takes all.
        routes={
            each.match: each.rate.spec
            for each in {route.match: route for route in reversed(config.routes)}.values()
            if each.rate is not None
        },
        recipient_gap_ns=int(config.limits.recipient_gap_seconds * NANOSECONDS),
    )


def pacing(gateway: Gateway) -> Pacing:
    """The timetables of accounts, senders, routes and recipients."""

    def route_of(message: Prepared | Released) -> Hashable:
        account = gateway.registry.account_name(message.account)
        return gateway.routes.identity(
            message.to, message.sender, message.category, account, message.tags
        )

    rates = pacing_rates(gateway.config, gateway.registry)
    return Pacing(rates, route_of, since=gateway.ids.next())


def looks(gateway: Gateway) -> tuple[LastLook, ...]:
    """What is asked once more about messages that are about to go."""
    stop = StopLook(gateway.pacing.stopped)
    return (gateway.control.look, stop, *gateway.rules.looks)  # caps count, so last


def handover(
    gateway: Gateway,
    built: Mapping[int, ConnectorDispatch],
    detours: Detours,
    refiller: Refiller,
    monotonic: Callable[[], float],
) -> Handover:
    """Not yet started."""
    return Handover(
        gateway.database.dedicated("handover"),
        built,
        detours,
        vault=gateway.vault,
        ids=gateway.ids,
        monotonic=monotonic,
        backlog=refiller.backlog,
        configured_away=lambda: set(gateway.registry.connectors.values()) - built.keys(),
        ended=gateway.task_ended,
    )


def refiller(
    gateway: Gateway, built: Mapping[int, ConnectorDispatch], monotonic: Callable[[], float]
) -> Refiller:
    """Not yet started."""
    return Refiller(
        gateway.database.dedicated("refill"),
        built,
        batches=gateway.control.batches,
        vault=gateway.vault,
        ids=gateway.ids,
        term=gateway.term.term,
        monotonic=monotonic,
        ended=gateway.task_ended,
        pace=gateway.pacing,
        texts_differ=connectors.texts_differ(built),
    )


def querying(gateway: Gateway, built: Mapping[int, ConnectorDispatch]) -> Querying:
    """Not yet started."""
    return Querying(
        gateway.database.dedicated("querying"), built, gateway.clock, gateway.task_ended
    )
