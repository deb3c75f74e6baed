"""Settings of routes, of doubt and of another way as the parts that dispatch works with.

Routes are made here as the API shows them, too.

Owns that translation. Must not choose a route.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dispatch.answers.doubt import Doubt, OutcomePolicy
from dispatch.routes.routing import Leg, Route
from gateway.config.category_settings import AnotherWaySettings, DoubtSettings
from gateway.config.route_settings import RouteSettings
from recipients.numbers.origins import NumberOrigins
from storage.categories import Category
from web.operator_services import RouteLeg, RouteMatch, RouteState

if TYPE_CHECKING:
    from gateway.rooms import Rooms


def routes_of(settings: Iterable[RouteSettings]) -> tuple[Route, ...]:
    """The configured routes, ready to be asked."""
    origins = NumberOrigins()
    return tuple(
        Route(
            prefixes=each.match.prefix,
            senders=frozenset(each.match.sender),
            categories=frozenset(int(Category.of(label)) for label in each.match.category),
            accounts=frozenset(each.match.account),
            tags=frozenset(each.match.tag),
            countries=frozenset(each.match.country),
            operators=frozenset(name.lower() for name in each.match.operator),
            origins=origins if each.match.country or each.match.operator else None,
            identity=each.match,
            via=tuple(
                Leg(leg) if isinstance(leg, str) else Leg(leg.name, leg.weight) for leg in each.via
            ),
        )
        for each in settings
    )


def outcome_policy(settings: DoubtSettings) -> OutcomePolicy:
    """What becomes of messages in doubt, as configured."""
    return OutcomePolicy(
        attempts_max=settings.attempts_max,
        doubt_grace_seconds=settings.grace_seconds,
        doubt={int(category): Doubt(getattr(settings, category.label)) for category in Category},
    )


def another_way_categories(settings: AnotherWaySettings) -> frozenset[int]:
    """Of which categories what failed goes another way, as configured."""
    return frozenset(int(each) for each in Category if getattr(settings, each.label))


def route_states(rooms: Rooms) -> list[RouteState]:
    """Every route as it stands in this process."""
    return [_state(rooms, each) for each in rooms.config.routes]


def _state(rooms: Rooms, settings: RouteSettings) -> RouteState:
    match, rate = settings.match, settings.rate
    return RouteState(
        match=RouteMatch(
            prefix=match.prefix,
            sender=match.sender,
            category=match.category,
            account=match.account,
            country=match.country,
            operator=match.operator,
            tag=match.tag,
        ),
        rate=None if rate is None else str(rate),
        per_second=None if rate is None else rate.spec.per_second,
        legs=[
            _leg(rooms, each, 0) if isinstance(each, str) else _leg(rooms, each.name, each.weight)
            for each in settings.via
        ],
    )


def _leg(rooms: Rooms, name: str, weight: int) -> RouteLeg:
    dispatch = rooms.dispatcher.connectors[rooms.registry.connectors[name]]
    ceiling = dispatch.pace.ceiling
    return RouteLeg(name, weight, dispatch.up, None if ceiling is None else ceiling.per_second)
