"""Other routes for a message whose connector is down or refuses it.

Owns which connectors a message has been to. Must not move rows (outbox/handover.py).
"""

from __future__ import annotations

from collections.abc import Callable

from dispatch.answers.outcomes import Detour
from dispatch.message import ReadyMessage
from dispatch.routes.routing import RouteTable
from storage.names import NO_CONNECTOR


class Detours:
    """The other connectors on the route of a single message in memory."""

    def __init__(self, routes: RouteTable, account_name: Callable[[int], str]) -> None:
        self.routes = routes
        self.account_name = account_name

    def of(self, connector: int, message: ReadyMessage) -> Detour | None:
        """Where a message may go that this connector refused by a fault of its own."""
        number, decision = self.routes.elsewhere(
            connector,
            message.to,
            message.sender,
            message.category,
            self.account_name(message.account),
            message.tags,
        )
        if number == NO_CONNECTOR:
            return None
        up = len(decision.connectors) - len(decision.down)
        return Detour(number, decision.reason, up)
