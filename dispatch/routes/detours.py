"""Other routes for a message whose connector is down or refuses it.

Owns which connectors a message has been to. Must not move rows (outbox/handover.py).
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from dispatch.answers.outcomes import Detour
from dispatch.message import ReadyMessage
from dispatch.routes.routing import RouteTable
from storage.names import NO_CONNECTOR


class Detours:
    """The other connectors on the route of a single message in memory."""

    def __init__(self, routes: RouteTable, account_name: Callable[[int], str]) -> None:
        self.routes = routes
        self.account_name = account_name

    def untried(
        self,
        tried: Collection[int],
        to: str,
        sender: str,
        category: int,
        account: int,
        tags: Collection[str],
    ) -> int:
        """The first connector of a message's route that it was not at, rather one that is up.

        NO_CONNECTOR when it was at all of them.
        """
        decision = self.routes.decide(to, sender, category, self.account_name(account), tags)
        return self.routes.untried(decision, tried)

    def of(self, connector: int, message: ReadyMessage) -> Detour | None:
        """Where a message may go that this connector refused by a fault of its own."""
        number, decision = self.routes.elsewhere(
            connector,
            message.to,
            message.sender,
            message.category,
            self.account_name(message.account),
            message.tags,
            message.tried,
        )
        if number == NO_CONNECTOR:
            return None
        up = len(decision.connectors) - len(decision.down) - len(message.tried)
        return Detour(number, decision.reason, up)
