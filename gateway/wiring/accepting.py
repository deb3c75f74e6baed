"""The accepting side put together: the accepter, what it remembers of requests, and when it sheds.

Owns the order in which they are built. Must not accept anything.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from messages.accept.accepter import MessageAccepter
from messages.accept.idempotency import Idempotency
from messages.accept.shedding import SheddingAccepter

if TYPE_CHECKING:
    from gateway.rooms import Rooms


def build(rooms: Rooms) -> None:
    """Sets accepter, idempotency and shedding."""
    rooms.accepter = MessageAccepter(
        [rooms.database.dedicated("accept-otp"), rooms.database.dedicated("accept")],
        vault=rooms.vault,
        ids=rooms.ids,
        term=rooms.term.term,
        ready=rooms.dispatcher,
        pace=rooms.pacing,
        clock=rooms.clock,
        links=rooms.links.sequence,
        codes=rooms.links.codes,
        link_base_url=str(rooms.config.links.base_url),
        link_lifetime=timedelta(days=rooms.config.links.lifetime_days),
        waiting_max=rooms.config.accept.waiting_max,
        checks=rooms.rules.checks,
    )
    rooms.idempotency = Idempotency(
        rooms.database.dedicated("idempotency"),
        vault=rooms.vault,
        ids=rooms.ids,
        term=rooms.term.term,
    )
    _, lane = rooms.accepter.lanes
    rooms.shedding = SheddingAccepter(
        rooms.accepter,
        lambda: lane.waiting,
        waiting_max=rooms.config.accept.waiting_max,
        above_percent=rooms.config.accept.shed_above_percent,
    )
