"""What is around campaigns, put together: links, replies, connectors that are down, foresight.

Owns that wiring. Must not decide anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from campaigns.link_check import LinkCheck
from campaigns.running.braking import Brake
from campaigns.running.foresight import Carriers, Foreseer
from campaigns.running.letters import Letters
from campaigns.running.outages import Outages
from campaigns.running.patrol import LinkPatrol
from campaigns.running.starting import LiveLinks, Surroundings
from dispatch.inbound.trial import OptOutTrial
from storage.names import SANDBOX, SANDBOX_NAME

if TYPE_CHECKING:
    from gateway.rooms import Rooms
    from storage.periodic import Ended

NANOSECONDS = 1_000_000_000


def outages_of(rooms: Rooms) -> Outages:
    """Connectors that are down here."""
    return Outages(
        rooms.down,
        lambda: rooms.registry.connectors,
        term=rooms.term.term,
        monotonic=lambda: _seconds(rooms),
    )


def foreseer_of(rooms: Rooms, letters: Letters, surroundings: Surroundings) -> Foreseer:
    """What plans foresee, by the connectors and quiet hours in force."""

    def name(connector: int) -> str | None:
        return SANDBOX_NAME if connector == SANDBOX else rooms.registry.connector_name(connector)

    carriers = Carriers(rooms.control.paces, name, lambda: rooms.registry.connectors)
    return Foreseer(
        letters,
        surroundings,
        carriers,
        quiet=lambda category: rooms.rules.timing.quiet_hours(category),
    )


def surroundings_of(rooms: Rooms, checks_links: Callable[[int], bool]) -> Surroundings:
    """`checks_links`: whether links of an account are asked."""
    return Surroundings(
        rooms.database.read,
        links=LiveLinks(LinkCheck(rooms.webhooks.client).faults, lambda: _seconds(rooms)),
        trial=OptOutTrial(
            rooms.database.dedicated("opt-out-trials"),
            rooms.inbound.recorder.opt_outs,
            vault=rooms.vault,
            ids=rooms.ids,
            wall_ms=rooms.clock.wall_ms,
        ),
        measures=rooms.templates.desk.measure,
        checks_links=checks_links,
        receives=lambda connector: _receives(rooms, connector),
    )


def patrol_of(rooms: Rooms, surroundings: Surroundings, brake: Brake, ended: Ended) -> LinkPatrol:
    """Not yet started."""
    return LinkPatrol(
        rooms.database.dedicated("campaign-links"),
        surroundings,
        brake=brake,
        ended=ended,
    )


def _receives(rooms: Rooms, connector: int) -> bool:
    """Whether messages from handsets come in from its carrier, on whichever connector."""
    name = rooms.registry.connector_name(connector)
    found = [each for each in rooms.config.connectors if each.name == name]
    if connector == SANDBOX or not found:
        return True  # nobody answers the sandbox; of one that is gone nothing is known
    [own] = found
    together = [
        each
        for each in rooms.config.connectors
        if own.receipt_group is not None and each.receipt_group == own.receipt_group
    ]
    return any(each.bind != "transmitter" for each in (own, *together))


def _seconds(rooms: Rooms) -> float:
    return rooms.clock.monotonic_ns() / NANOSECONDS
