"""The sending side put together: routes, recorder, intents, connectors, and their dispatcher.

Owns the order in which they are built. Must not start anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dispatch.answers.another_way import AnotherWay
from dispatch.answers.recorder import Recorder
from dispatch.dispatcher import Dispatcher
from dispatch.routes.detours import Detours
from dispatch.routes.routing import RouteTable
from dispatch.wire.intents import IntentWriter
from dlr.codes import CodesOfConnectors
from gateway.wiring import breakers, connectors
from gateway.wiring.routes import another_way_categories, routes_of
from gateway.wiring.sending import handover, looks, pacing, querying, refiller

if TYPE_CHECKING:
    from gateway.rooms import Rooms

RECORDS_WAITING_MAX = 400_000  # results are bounded by the windows, receipts by their own setting


def build(rooms: Rooms, monotonic: Callable[[], float]) -> None:
    """Sets routes, another_way, pacing, breakers, anomalies, wiring and dispatcher."""

    rooms.routes = RouteTable(routes_of(rooms.config.routes), rooms.registry.connectors, rooms.down)
    detours = Detours(rooms.routes, rooms.registry.account_name)
    settings = (*rooms.config.connectors, rooms.sandbox.settings)
    codes = connectors.codes_of(settings, rooms.registry.connectors)
    rooms.another_way = another_way(rooms, detours, codes)
    recorder = Recorder(
        rooms.database.dedicated("record"),
        ids=rooms.ids,
        term=rooms.term.term,
        waiting_max=RECORDS_WAITING_MAX,
        receipts_waiting_max=rooms.config.limits.receipts_waiting_max,
        committed=_tells_connectors(rooms),
        groups=connectors.groups_of(settings, rooms.registry.connectors),
        codes=codes,
        alone=lambda: rooms.maintenance.gateways == 1,
        vault=rooms.vault,
        changes=rooms.webhooks.changes,
        another_way=rooms.another_way,
    )
    rooms.pacing = pacing(rooms)
    breakers.build(rooms, detours)
    breakers.build_anomalies(rooms)
    dedicated = rooms.database.dedicated("intent")
    intents = IntentWriter(dedicated, term=rooms.term.term, looks=looks(rooms), vault=rooms.vault)
    rooms.wiring = connectors.Wiring(
        ids=rooms.ids,
        intents=intents,
        recorder=recorder,
        inbound=rooms.inbound,
        clock=rooms.clock,
        limits=rooms.config.limits,
        policy=rooms.policy,
        elsewhere=detours.of,
        batches=rooms.control.batches,
        down=rooms.down,
    )
    built = connectors.build_all(settings, rooms.registry.connectors, rooms.wiring)
    refilling = refiller(rooms, built, monotonic)
    rooms.dispatcher = Dispatcher(
        built,
        intents=intents,
        recorder=recorder,
        refiller=refilling,
        handover=handover(rooms, built, detours, refilling, monotonic),
        querying=querying(rooms, built),
        term=rooms.term.term,
        sandbox=rooms.sandbox.wake,
    )


def _tells_connectors(rooms: Rooms) -> Callable[[], None]:
    """What is called after each commit of the recorder."""

    def committed() -> None:
        for connector in rooms.dispatcher.connectors.values():
            connector.recorded()

    return committed


def another_way(rooms: Rooms, detours: Detours, codes: CodesOfConnectors) -> AnotherWay:
    """What becomes of messages that a carrier could not deliver."""
    return AnotherWay(
        another_way_categories(rooms.config.another_way),
        codes=codes,
        untried=detours.untried,
        vault=rooms.vault,
        ids=rooms.ids,
    )
